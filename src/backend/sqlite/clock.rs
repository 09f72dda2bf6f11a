//! The time limit of a call. There is no clock: only the statement that makes the transaction the writer can wait, and
//! [`WriteLock`](super::write_lock::WriteLock) limits it.

use std::time::Duration;

use diesel::sqlite::Sqlite;

use crate::backend::{Clock, Step};

/// SQLite's clock, which limits nothing.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct NoClock;

impl Clock<Sqlite> for NoClock {
    const OUTLIVES_A_ROLLBACK: bool = true;

    fn limit(&mut self, _: Duration) -> Option<Step<'_, Sqlite>> {
        None
    }

    fn restore(&mut self) -> Option<Step<'_, Sqlite>> {
        None
    }
}
