//! What the expansions of the derive and of the attribute name, and bounds of generic code. Not part of the public API.

pub use crate::{advisory::KeyText, key::LockKey, lockable::One};
