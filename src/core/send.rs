//! Sends the steps of a plan.

use std::future::Future;

use diesel::result::QueryResult;

use super::driver::Driver;
use crate::backend::{Response, Step};

/// Sends a step's statement and hands its response to the plan.
///
/// It is not an `async fn`: such a future would keep the statement while it waits, and Diesel's nodes are not `Send`.
pub(super) fn send<'a, D: Driver>(
    driver: &'a mut D,
    step: Step<'a, D::DB>,
) -> impl Future<Output = QueryResult<()>> + use<'a, D> {
    let Step { statement, answer } = step;
    let (rows, changes) = match answer {
        Response::Rows(sink) => (Some(driver.rows(statement, sink)), None),
        Response::Changed(sum) => (None, Some((driver.execute(statement), Some(sum)))),
        Response::Nothing => (None, Some((driver.execute(statement), None))),
    };
    async move {
        if let Some(rows) = rows {
            rows.await?;
        }
        if let Some((changes, sum)) = changes {
            let changed = changes.await?;
            if let Some(sum) = sum {
                *sum += changed;
            }
        }
        Ok(())
    }
}
