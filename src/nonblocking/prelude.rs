//! Re-exports of the names that most programs over `diesel-async` need: `use diesel_lockset::nonblocking::prelude::*;`
//!
//! A program that also locks over blocking connections imports the verbs of [`diesel_lockset::prelude`](crate::prelude) in another module:
//! the verbs have the same names.

pub use super::{
    CancelOnDrop as _, LockConnection, LockDsl as _, PickDsl as _, RunAdvisoryLock as _, RunLockQuery as _,
    RunLockSet as _, RunLockTransaction as _, RunLockWaits as _,
};
pub use crate::{
    AdvisoryLock, LockError, LockQueryDsl as _, LockSet, LockTarget, LockTransaction, LockWaits, Lockable,
    OptionalExtension as _, advisory_locked,
};
