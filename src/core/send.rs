//! Sends the steps of a plan.

use diesel::result::QueryResult;

use super::{driver::Driver, implicit_rollback::check_rollback};
use crate::backend::{Response, Step};

/// Sends a step's statement, which locks rows or belongs to one that does, and hands its response to the plan. An error can be the end
/// of the transaction, which is looked into.
pub(super) async fn send<D: Driver>(driver: &mut D, step: Step<'_, D::DB>) -> QueryResult<()> {
    let sent = send_unchecked(driver, step).await;
    check_rollback(driver, sent).await
}

/// Sends a step, and looks into no error.
pub(super) async fn send_unchecked<D: Driver>(driver: &mut D, step: Step<'_, D::DB>) -> QueryResult<()> {
    let Step { statement, answer } = step;
    match answer {
        Response::Rows(mut sink) => driver.rows(statement, move |row| sink.row(row)).await,
        Response::Changed(sum) => driver.execute(statement).await.map(|changed| *sum += changed),
        Response::Nothing => driver.execute(statement).await.map(drop),
    }
}
