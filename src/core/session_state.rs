//! Statements that change the state of a session: settings, isolation levels, locks that outlive a transaction.
//!
//! Diesel's mark of a broken connection is on the connection while such a statement is under way, and taken off when its answer has come.
//! If the answer never comes, because the driver panics or the future is dropped, the mark stays: nobody knows the session's state
//! then, and a pool does not hand the connection out again.
//!
//! `BEGIN`, `COMMIT` and their savepoints are the transaction manager's, which needs the status to count them. A [`Driver`] marks
//! those itself.

use std::{mem, panic::resume_unwind};

use diesel::{
    connection::TransactionManagerStatus,
    deserialize,
    result::{Error as DieselError, QueryResult},
};

use super::{catch::catch, driver::Driver, implicit_rollback::check_rollback, send::send_unchecked};
use crate::{
    backend::{LockingBackend, Step},
    diesel_internals::{RowRef, Statement, mark_aborted},
    error::is_connection_lost,
};

/// Sends a statement under the mark, and returns how many rows it changed.
pub(super) async fn execute<D: Driver>(driver: &mut D, statement: Statement<'_, D::DB>) -> QueryResult<usize> {
    marked(driver, async |driver| driver.execute(statement).await).await
}

/// Sends statements without values under the mark.
pub(super) async fn batch<D: Driver>(driver: &mut D, statements: &str) -> QueryResult<()> {
    marked(driver, async |driver| driver.batch(statements).await).await
}

/// Sends a statement under the mark and reads its rows.
pub(super) async fn rows<D: Driver>(
    driver: &mut D,
    statement: Statement<'_, D::DB>,
    read: impl FnMut(&RowRef<'_, D::DB>) -> deserialize::Result<()> + Send,
) -> QueryResult<()> {
    marked(driver, async |driver| driver.rows(statement, read).await).await
}

/// Sends a step of a plan under the mark.
pub(super) async fn step<D: Driver>(driver: &mut D, step: Step<'_, D::DB>) -> QueryResult<()> {
    let sent = marked(driver, async |driver| send_unchecked(driver, step).await).await;
    check_rollback(driver, sent).await
}

/// Sends something under the mark.
///
/// Afterwards the status is as before, with what the connection could not write into it meanwhile: that PostgreSQL takes no statement
/// after an error until the transaction is rolled back. A lost connection stays marked. So does one that panicked; it is marked anew,
/// since Diesel takes the mark off as soon as PostgreSQL answers outside of a transaction.
pub(super) async fn marked<D: Driver, T>(
    driver: &mut D,
    send: impl AsyncFnOnce(&mut D) -> QueryResult<T>,
) -> QueryResult<T> {
    let status = mem::replace(driver.status(), TransactionManagerStatus::InError);
    let sent = catch(send(driver)).await.unwrap_or_else(|panic| {
        driver.status().set_in_error();
        resume_unwind(panic)
    });
    match &sent {
        Err(error) if is_connection_lost(error) => driver.status().set_in_error(),
        Err(DieselError::DatabaseError(..)) if D::DB::IMPLICIT_ROLLBACK.is_none() => {
            *driver.status() = status;
            mark_aborted(driver.status());
        }
        _ => *driver.status() = status,
    }
    sent
}
