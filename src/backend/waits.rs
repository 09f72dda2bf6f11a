//! The backend trait for the question who waits for whom.

use std::time::Duration;

use diesel::{backend::Backend, deserialize};

use super::LockingBackend;
use crate::{
    diesel_internals::{RowRef, Statement},
    waits::Found,
};

/// A backend whose server reports who waits for whom.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not report who waits for whom",
    note = "`LockWaits::snapshot` exists on PostgreSQL, MySQL and MariaDB",
    note = "SQLite has no sessions: a transaction waits for the only writer"
)]
pub trait HasLockWaits: LockingBackend {
    /// The queries, each of which may be refused by itself.
    #[doc(hidden)]
    const WAITS: &'static [WaitsQuery<Self>];
}

/// A query for the sessions that wait.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct WaitsQuery<DB: Backend> {
    /// The words for what is not seen if the server refuses the query.
    pub(crate) about: &'static str,
    /// The right that the query takes.
    pub(crate) right: &'static str,
    /// Builds the query, limited to this time where the server does not undo the limit with a savepoint.
    pub(crate) statement: fn(Duration) -> Statement<'static, DB>,
    /// Reads a row of its answer.
    pub(crate) read: fn(&RowRef<'_, DB>) -> deserialize::Result<Found>,
}
