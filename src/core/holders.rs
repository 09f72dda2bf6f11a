//! Asks which sessions hold what a call failed to lock. Best effort: it does not abort the transaction, has its own time limit, and hides no
//! error.

use std::time::Duration;

use diesel::{backend::Backend, deserialize, result::QueryResult};

use super::{driver::Driver, limited::Limited};
use crate::{
    advisory::AdvisoryName,
    backend::{AdvisoryBackend, Clock, LockingBackend, sink},
    diesel_internals::{RowRef, Statement},
    error::{Holder, Result},
};

/// The time that a call with a timeout may take for the query beyond its timeout. The query reads the tables of the call, and may have to
/// wait for them. Sessions that are not reported in time are not named.
const GRACE: Duration = Duration::from_millis(250);

/// The time limit of the query for a call without a timeout.
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

/// Asks within the time that is `left` to the call, plus [`GRACE`].
pub(super) async fn in_time<D, Q>(driver: &mut D, left: Option<Duration>, query: &mut Q) -> Vec<Holder>
where
    D: Driver,
    Q: HoldersQuery<D::DB>,
{
    let time = left.map_or(TIME, |left| left + GRACE);
    let Ok(limited) = Limited::begin(driver, time).await else { return Vec::new() };
    let asked = ask(driver, &limited, query).await;
    match limited.end(driver).await {
        Ok(()) => asked.unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

async fn ask<D, Q>(driver: &mut D, limited: &Limited, query: &mut Q) -> QueryResult<Vec<Holder>>
where
    D: Driver,
    Q: HoldersQuery<D::DB>,
{
    for _ in 0..query.times() {
        let Some(left) = limited.left() else { break };
        let (read, mut holders) = (query.reader(), Vec::new());
        let collect = sink(|row| {
            holders.push(read(row)?);
            Ok(())
        });
        driver.rows(query.statement(left).uncached(), collect).await?;
        if !holders.is_empty() {
            Holder::conclude(&mut holders);
            return Ok(holders);
        }
    }
    Ok(Vec::new())
}

/// Returns the sessions that hold an advisory lock. In an open transaction that an error would abort, it asks in a savepoint.
pub(crate) async fn holders_of<D: Driver<DB: AdvisoryBackend>>(
    driver: &mut D,
    name: &AdvisoryName,
) -> Result<Vec<Holder>> {
    let aborts = !<D::DB as LockingBackend>::Clock::OUTLIVES_A_ROLLBACK;
    let undone = driver.depth()?.is_some() && aborts;
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
