//! The backend traits for advisory locks.

use diesel::{
    deserialize,
    result::{Error as DieselError, QueryResult},
};

use super::{LockLimit, LockingBackend};
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

/// A backend with advisory locks of the kind `K`: [`Exclusive`], [`Shared`], or [`Transactional`] for those that end with the transaction.
///
/// | | PostgreSQL | MySQL, MariaDB | SQLite |
/// | --- | --- | --- | --- |
/// | [`Exclusive`] | yes | yes | |
/// | [`Shared`] | yes | | |
/// | [`Transactional`] | yes | | |
///
/// [`Exclusive`]: crate::markers::Exclusive
/// [`Shared`]: crate::markers::Shared
/// [`Transactional`]: crate::markers::Transactional
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no advisory locks that are `{K}`",
    note = "advisory locks exist on PostgreSQL, MySQL and MariaDB; those that are shared, and those that end with the transaction \
            (`acquire_for_transaction`, `LockSet::advisory`), exist on PostgreSQL only",
    note = "SQLite has none: the closure of a `LockTransaction` runs once at a time there, as its transaction is the only writer"
)]
pub trait SupportsAdvisory<K>: AdvisoryBackend {}

/// The statements of a backend's advisory locks.
#[doc(hidden)]
pub trait AdvisoryBackend: LockingBackend {
    /// True if the backend has locks that end with a transaction by themselves.
    const END_WITH_TRANSACTIONS: bool;

    /// True if the server's name of a lock can change. A lock that is not found at its release may then be held under an earlier name,
    /// which is no longer known.
    const NAMES_CHANGE: bool;

    /// The limit on the waits of a migration that runs under an advisory lock.
    const LOCK_LIMIT: LockLimit<Self>;

    fn advisory<'q>(call: AdvisoryCall, name: LockName<'q>, shared: bool) -> Statement<'q, Self>;

    /// Returns the error for a statement that returned no row.
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
    fn advisory_answer(call: AdvisoryCall, row: &RowRef<'_, Self>) -> QueryResult<bool>;

    /// Builds the query for the sessions that hold the lock.
    fn advisory_holders<'q>(name: LockName<'q>) -> Statement<'q, Self>;

    /// Reads a row of that answer.
    fn advisory_holder(row: &RowRef<'_, Self>) -> deserialize::Result<Holder>;
}
