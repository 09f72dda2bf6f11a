//! Statements that change the state of a session: settings, isolation levels, locks that outlive a transaction.
//!
//! Diesel's mark of a broken connection is on the connection while such a statement is under way, and taken off when its answer has come.
//! If the answer never comes, because the driver panics or the future is dropped, the mark stays: nobody knows the session's state
//! then, and a pool does not hand the connection out again.
//!
//! Statements are built when they are sent: nothing that a user's query is a part of is kept while the answer is awaited, since Diesel's
//! nodes may be neither `Send` nor `Sync`.
//!
//! `BEGIN`, `COMMIT` and their savepoints are the transaction manager's, which needs the status to count them. A [`Driver`] marks
//! those itself.

use std::{mem, panic::resume_unwind, thread};

use diesel::{
    connection::TransactionManagerStatus,
    result::{Error as DieselError, QueryResult},
};

use super::driver::Driver;
use crate::{backend::LockingBackend, diesel_internals::mark_aborted, error::is_connection_lost};

/// Awaits an answer under the mark: `marked!(driver, driver.batch(".."))`.
///
/// It is a macro since a statement is built where it is sent. As an argument of an `async fn` it would be kept in the future.
macro_rules! marked {
    ($driver:expr, $sent:expr) => {{
        let mark = $crate::core::session_state::Mark::on($driver);
        let sent = $crate::core::catch::catch($sent).await;
        mark.off($driver, sent)
    }};
}

pub(super) use marked;

/// The mark on a connection, with the status that it replaces.
///
/// Dropping it leaves the connection marked.
#[must_use]
pub(super) struct Mark(TransactionManagerStatus);

impl Mark {
    /// Puts the mark on.
    pub(super) fn on<D: Driver>(driver: &mut D) -> Self {
        Mark(mem::replace(driver.status(), TransactionManagerStatus::InError))
    }

    /// Takes the mark off, when the answer to what was sent has come.
    ///
    /// The status is as before then, with what the connection could not write into it meanwhile: that PostgreSQL takes no statement
    /// after an error until the transaction is rolled back. A lost connection stays marked. So does one that panicked; it is marked anew,
    /// since Diesel takes the mark off as soon as PostgreSQL answers outside of a transaction.
    pub(super) fn off<D: Driver, T>(self, driver: &mut D, sent: thread::Result<QueryResult<T>>) -> QueryResult<T> {
        let Mark(status) = self;
        let sent = sent.unwrap_or_else(|panic| {
            driver.status().set_in_error();
            resume_unwind(panic)
        });
        match &sent {
            Err(error) if is_connection_lost(error) => driver.status().set_in_error(),
            Err(DieselError::DatabaseError(..)) if D::DB::ERRORS_ABORT => {
                *driver.status() = status;
                mark_aborted(driver.status());
            }
            _ => *driver.status() = status,
        }
        sent
    }
}
