//! Items that the expansions of the macros refer to, and bounds for generic code. Not part of the public API.

pub use crate::{advisory::KeyText, key::LockKey, lockable::One};
