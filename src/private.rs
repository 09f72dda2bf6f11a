//! What the derive's expansion names. Not part of the public API.

pub use crate::{key::LockKey, lockable::One};
