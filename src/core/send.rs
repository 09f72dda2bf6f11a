//! Sends a statement, and has its answer taken as the plan says.

use diesel::result::QueryResult;

use super::{driver::Driver, implicit_rollback::check_rollback};
use crate::backend::{Response, Step};

/// For statements that lock rows, and what belongs to them: their errors can be the end of the transaction.
pub(super) async fn send<D: Driver>(driver: &mut D, step: Step<'_, D::DB>) -> QueryResult<()> {
    let Step { statement, answer } = step;
    let sent = match answer {
        Response::Rows(mut reader) => driver.rows(statement, move |row| reader.row(row)).await,
        Response::Changed(sum) => driver.execute(statement).await.map(|changed| *sum += changed),
        Response::Nothing => driver.execute(statement).await.map(drop),
    };
    check_rollback(driver, sent).await
}
