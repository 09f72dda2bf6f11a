//! The names that code which locks rows uses all the time: `use diesel_lockset::prelude::*;`

pub use crate::{LockDsl as _, LockError, LockSet, Lockable, RunLockSet as _};
