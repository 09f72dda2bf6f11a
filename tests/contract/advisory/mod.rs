//! Advisory locks: who gets them, for how long, and what is left of them.

use diesel_lockset::{AdvisoryLock, LockError};

use super::{
    Arena, Driver,
    verbs::{self, RunAdvisoryLock},
};
use crate::support::{driver::Session, models::Account};

mod fresh;
mod hostile_names;
mod in_a_transaction;
mod releases;
mod sessions;
mod timeouts;

pub(crate) fn account(id: i32) -> AdvisoryLock {
    AdvisoryLock::id::<Account>(id)
}

/// Whether somebody else could have the lock now.
pub(crate) fn free(s: &mut Driver, lock: AdvisoryLock) -> bool {
    lock.try_acquire(s.conn()).unwrap().is_some()
}

/// A closure that does nothing.
pub(crate) fn nothing<C>(_: &mut C) -> Result<(), LockError> {
    Ok(())
}
