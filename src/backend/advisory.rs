//! What advisory locks need of a backend.

use diesel::{
    deserialize,
    result::{Error as DieselError, QueryResult},
};

use super::LockingBackend;
use crate::{
    diesel_internals::{RowRef, Statement},
    error::Holder,
    key::LockName,
};

/// What to do about an advisory lock.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdvisoryCall {
    /// Wait for it and take it, until it is released or the session ends; the answer says whether to ask again.
    Lock,
    /// Take it if it is free; the answer says whether it was.
    TryLock,
    /// Release it once; the answer says whether it was held.
    Unlock,
    /// Wait for it and take it, until the transaction ends.
    LockForTransaction,
    /// Take it until the transaction ends, if it is free; the answer says whether it was.
    TryLockForTransaction,
    /// Does this session hold it beyond the transaction?
    IsMine,
    /// Does anybody hold it?
    IsHeld,
}

/// A backend with advisory locks.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no advisory locks that this crate could take",
    note = "advisory locks exist on PostgreSQL, MySQL and MariaDB"
)]
pub trait HasAdvisoryLocks: LockingBackend {
    /// Whether there are calls for a transaction: locks that end with it, by themselves.
    #[doc(hidden)]
    const END_WITH_TRANSACTIONS: bool;

    /// Whether a lock that was to be released and was not held is held under a name that cannot be told any more.
    #[doc(hidden)]
    const NAMES_CHANGE: bool;

    #[doc(hidden)]
    fn advisory<'q>(call: AdvisoryCall, name: LockName<'q>, shared: bool) -> Statement<'q, Self>;

    /// What it means that there is no answer.
    #[doc(hidden)]
    fn no_advisory_answer() -> DieselError {
        DieselError::NotFound
    }

    /// Reads the answer.
    #[doc(hidden)]
    fn advisory_answer(call: AdvisoryCall, row: &RowRef<'_, Self>) -> QueryResult<bool>;

    /// Asks for the sessions that hold the lock.
    #[doc(hidden)]
    fn advisory_holders<'q>(name: LockName<'q>) -> Statement<'q, Self>;

    /// Reads a row of that answer.
    #[doc(hidden)]
    fn advisory_holder(row: &RowRef<'_, Self>) -> deserialize::Result<Holder>;
}

/// A backend with advisory locks that others may share.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no shared advisory locks",
    note = "`AdvisoryLock::shared` exists on PostgreSQL"
)]
pub trait HasSharedAdvisoryLocks: HasAdvisoryLocks {}

/// A backend whose advisory locks can end with the transaction.
#[diagnostic::on_unimplemented(
    message = "advisory locks of `{Self}` do not end with a transaction",
    note = "`acquire_for_transaction` and `LockSet::advisory` exist on PostgreSQL"
)]
pub trait HasTransactionAdvisoryLocks: HasAdvisoryLocks {}
