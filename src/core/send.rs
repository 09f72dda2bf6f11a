//! Sends a statement, and has its answer taken as the plan says.

use diesel::result::QueryResult;

use super::{driver::Driver, implicit_rollback::heed};
use crate::backend::{Answer, Exchange};

/// For statements that lock rows, and what belongs to them: their errors can be the end of the transaction.
pub(super) async fn send<D: Driver>(driver: &mut D, exchange: Exchange<'_, D::DB>) -> QueryResult<()> {
    let Exchange { statement, answer } = exchange;
    let sent = match answer {
        Answer::Rows(mut reader) => driver.rows(statement, move |row| reader.row(row)).await,
        Answer::Changed(sum) => driver.execute(statement).await.map(|changed| *sum += changed),
        Answer::Nothing => driver.execute(statement).await.map(drop),
    };
    heed(driver, sent).await
}
