//! The backend traits for advisory locks.

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

/// An operation on an advisory lock.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdvisoryCall {
    /// Waits for the lock and takes it, until it is released or the session ends. The answer is false if the caller must send the call
    /// again.
    Lock,
    /// Takes the lock if it is free. The answer says whether it was.
    TryLock,
    /// Releases the lock once. The answer says whether it was held.
    Unlock,
    /// Waits for the lock and takes it, until the transaction ends.
    LockForTransaction,
    /// Takes the lock until the transaction ends, if it is free. The answer says whether it was.
    TryLockForTransaction,
    /// Asks whether this session holds the lock beyond the transaction.
    IsMine,
    /// Asks whether any session holds the lock.
    IsHeld,
}

/// A backend with advisory locks.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no advisory locks that this crate could take",
    note = "advisory locks exist on PostgreSQL, MySQL and MariaDB",
    note = "SQLite has none: the closure of a `LockTransaction` runs once at a time there, as its transaction is the only writer"
)]
pub trait HasAdvisoryLocks: LockingBackend {
    /// True if the backend has locks that end with a transaction by themselves.
    #[doc(hidden)]
    const END_WITH_TRANSACTIONS: bool;

    /// True if the server's name of a lock can change. A lock that is not found at its release may then be held under an earlier name,
    /// which is no longer known.
    #[doc(hidden)]
    const NAMES_CHANGE: bool;

    #[doc(hidden)]
    fn advisory<'q>(call: AdvisoryCall, name: LockName<'q>, shared: bool) -> Statement<'q, Self>;

    /// Returns the error for a statement that returned no row.
    #[doc(hidden)]
    fn no_advisory_answer() -> DieselError {
        DieselError::NotFound
    }

    /// Builds the text that commits a transaction and releases a lock of the session after it; `None` where a text of several statements
    /// takes no fewer round trips, or is not safe.
    ///
    /// If the `COMMIT` fails, the server does not execute the rest of the text.
    #[doc(hidden)]
    fn commit_and_unlock(_name: LockName<'_>, _shared: bool) -> Option<String> {
        None
    }

    /// Reads the answer to a call.
    #[doc(hidden)]
    fn advisory_answer(call: AdvisoryCall, row: &RowRef<'_, Self>) -> QueryResult<bool>;

    /// Builds the query for the sessions that hold the lock.
    #[doc(hidden)]
    fn advisory_holders<'q>(name: LockName<'q>) -> Statement<'q, Self>;

    /// Reads a row of that answer.
    #[doc(hidden)]
    fn advisory_holder(row: &RowRef<'_, Self>) -> deserialize::Result<Holder>;
}

/// A backend with shared advisory locks.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no shared advisory locks",
    note = "`AdvisoryLock::shared` exists on PostgreSQL"
)]
pub trait HasSharedAdvisoryLocks: HasAdvisoryLocks {}

/// A backend whose advisory locks can end with the transaction.
#[diagnostic::on_unimplemented(
    message = "advisory locks of `{Self}` do not end with a transaction",
    note = "`acquire_for_transaction` and `LockSet::advisory` exist on PostgreSQL",
    note = "SQLite has no advisory locks: a `LockTransaction` is the only writer there"
)]
pub trait HasTransactionAdvisoryLocks: HasAdvisoryLocks {}
