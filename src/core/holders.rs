//! Asks who holds what a call wanted. A courtesy: it costs the caller neither the transaction nor time, and hides no error.

use std::time::{Duration, Instant};

use diesel::{deserialize, result::QueryResult};

use super::{driver::Driver, timer::Timer};
use crate::{
    advisory::AdvisoryName,
    backend::{Clock, HasAdvisoryLocks, LockingBackend},
    diesel_internals::{RowRef, Statement},
    error::{Holder, Result},
    mode::WaitPolicy,
};

/// How much longer than its timeout a call may take for the question. That needs the tables that the call wanted, and may have to
/// wait for them; who is not told in time is not named.
const GRACE: Duration = Duration::from_millis(250);

/// The time of the question of a call that has no timeout.
const TIME: Duration = Duration::from_secs(1);

/// A question, and how to read a row of its answer.
type Question<'q, DB> = (Statement<'q, DB>, fn(&RowRef<'_, DB>) -> deserialize::Result<Holder>);

/// Asks up to so many times, until somebody is named, within the time that is `left` to the call and a moment.
///
/// Where an error aborts the transaction, the question has a savepoint and a limit of its own, both of which are undone. Where an
/// error undoes its own statement only, the statement brings its limit along.
pub(super) async fn in_time<'q, D: Driver>(
    driver: &mut D,
    left: Option<Duration>,
    times: usize,
    question: impl Fn(Duration) -> Question<'q, D::DB>,
) -> Vec<Holder> {
    let time = left.map_or(TIME, |left| left + GRACE);
    let end = Instant::now() + time;
    if <D::DB as LockingBackend>::Clock::OUTLIVES_A_ROLLBACK {
        return ask(driver, end, times, question).await.unwrap_or_default();
    }
    if driver.begin().await.is_err() {
        return Vec::new();
    }
    let limited = Timer::<D::DB>::start(WaitPolicy::Timeout(time)).limit(driver).await;
    let asked = match limited {
        Ok(()) => ask(driver, end, times, question).await,
        Err(_) => Ok(Vec::new()),
    };
    match driver.rollback().await {
        Ok(()) => asked.unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

async fn ask<'q, D: Driver>(
    driver: &mut D,
    end: Instant,
    times: usize,
    question: impl Fn(Duration) -> Question<'q, D::DB>,
) -> QueryResult<Vec<Holder>> {
    for _ in 0..times {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let (statement, read) = question(left);
        let holders = each_holder(driver, statement.uncached(), read).await?;
        if !holders.is_empty() {
            return Ok(holders);
        }
    }
    Ok(Vec::new())
}

/// The sessions that hold an advisory lock. In an open transaction that an error would abort, asked in a savepoint that is undone.
pub(crate) async fn holders_of<D: Driver<DB: HasAdvisoryLocks>>(
    driver: &mut D,
    name: &AdvisoryName,
) -> Result<Vec<Holder>> {
    let aborts = !<D::DB as LockingBackend>::Clock::OUTLIVES_A_ROLLBACK;
    let undone = aborts && driver.depth()?.is_some();
    if undone {
        driver.begin().await?;
    }
    let statement = D::DB::advisory_holders(name.in_all_forms());
    let holders = each_holder(driver, statement, D::DB::advisory_holder).await;
    if undone {
        driver.rollback().await?;
    }
    Ok(holders?)
}

/// Reads all rows of the answer.
async fn each_holder<D: Driver>(
    driver: &mut D,
    statement: Statement<'_, D::DB>,
    read: fn(&RowRef<'_, D::DB>) -> deserialize::Result<Holder>,
) -> QueryResult<Vec<Holder>> {
    let mut holders = Vec::new();
    driver
        .rows(statement, |row| {
            holders.push(read(row)?);
            Ok(())
        })
        .await?;
    Ok(holders)
}
