//! Asks who holds what a call wanted. A courtesy: it costs the caller neither the transaction nor time, and hides no error.

use std::time::{Duration, Instant};

use diesel::{backend::Backend, deserialize, result::QueryResult};

use super::{driver::Driver, timer::Timer};
use crate::{
    advisory::AdvisoryName,
    backend::{Clock, HasAdvisoryLocks, LockingBackend, sink},
    diesel_internals::{RowRef, Statement},
    error::{Holder, Result},
    mode::WaitPolicy,
};

/// How much longer than its timeout a call may take for the question. That needs the tables that the call wanted, and may have to
/// wait for them; who is not told in time is not named.
const GRACE: Duration = Duration::from_millis(250);

/// The time of the question of a call that has no timeout.
const TIME: Duration = Duration::from_secs(1);

/// The query for the sessions that hold what a call failed to lock.
pub(super) trait HoldersQuery<DB: Backend> {
    /// The number of times to ask, until a session is named.
    fn times(&self) -> usize;

    /// Builds the query, limited to this time where the server does not undo the limit with a savepoint.
    fn statement(&self, time: Duration) -> Statement<'_, DB>;

    /// Returns the function that reads a row of the answer.
    fn reader(&self) -> fn(&RowRef<'_, DB>) -> deserialize::Result<Holder>;
}

/// Asks, within the time that is `left` to the call and a moment.
///
/// Where an error aborts the transaction, the query has a savepoint and a limit of its own, both of which are undone. Where an
/// error undoes its own statement only, the statement brings its limit along.
pub(super) async fn in_time<D, Q>(driver: &mut D, left: Option<Duration>, query: &mut Q) -> Vec<Holder>
where
    D: Driver,
    Q: HoldersQuery<D::DB>,
{
    let time = left.map_or(TIME, |left| left + GRACE);
    let end = Instant::now() + time;
    if <D::DB as LockingBackend>::Clock::OUTLIVES_A_ROLLBACK {
        return ask(driver, end, query).await.unwrap_or_default();
    }
    if driver.begin().await.is_err() {
        return Vec::new();
    }
    let limited = Timer::<D::DB>::start(WaitPolicy::Timeout(time)).limit(driver).await;
    let asked = match limited {
        Ok(()) => ask(driver, end, query).await,
        Err(_) => Ok(Vec::new()),
    };
    match driver.rollback().await {
        Ok(()) => asked.unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

async fn ask<D, Q>(driver: &mut D, end: Instant, query: &mut Q) -> QueryResult<Vec<Holder>>
where
    D: Driver,
    Q: HoldersQuery<D::DB>,
{
    for _ in 0..query.times() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let (read, mut holders) = (query.reader(), Vec::new());
        let collect = sink(|row| {
            holders.push(read(row)?);
            Ok(())
        });
        driver.rows(query.statement(left).uncached(), collect).await?;
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
    let mut holders = Vec::new();
    let read = sink(|row| {
        holders.push(D::DB::advisory_holder(row)?);
        Ok(())
    });
    let asked = driver.rows(D::DB::advisory_holders(name.in_all_forms()), read).await;
    if undone {
        driver.rollback().await?;
    }
    asked?;
    Ok(holders)
}
