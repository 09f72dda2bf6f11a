//! Re-exports of the names that most programs need: `use diesel_lockset::prelude::*;`

pub use crate::{
    AdvisoryLock, LockConnection, LockDsl as _, LockError, LockQueryDsl as _, LockSet, LockTarget, LockTransaction,
    LockWaits, Lockable, OptionalExtension as _, PickDsl as _, RunAdvisoryLock as _, RunLockQuery as _,
    RunLockSet as _, RunLockTransaction as _, RunLockWaits as _, advisory_locked,
};
