//! Asks the server who waits for whom.

use std::time::Duration;

use diesel::result::{Error as DieselError, QueryResult};

use super::{driver::Driver, limited::Limited};
use crate::{
    backend::{HasLockWaits, WaitsQuery, sink},
    error::{Result, is_connection_lost},
    waits::LockWaits,
};

/// The time limit of the queries.
const TIME: Duration = Duration::from_secs(2);

/// Takes a snapshot. A query that the server refuses becomes one of the snapshot's limits.
///
/// Each query has a savepoint of its own where an error would abort the transaction.
pub(crate) async fn snapshot<D: Driver<DB: HasLockWaits>>(driver: &mut D) -> Result<LockWaits> {
    // Fails if the connection is marked as broken.
    driver.depth()?;
    let mut waits = LockWaits::default();
    for query in D::DB::WAITS {
        match ask(driver, query, &mut waits).await {
            Ok(()) => {}
            Err(error @ DieselError::DatabaseError(..)) if !is_connection_lost(&error) => {
                waits.limits.push(format!("{} ({}): {error}", query.about, query.right));
            }
            Err(error) => return Err(error.into()),
        }
    }
    waits.sort();
    Ok(waits)
}

async fn ask<D: Driver>(driver: &mut D, query: &WaitsQuery<D::DB>, waits: &mut LockWaits) -> QueryResult<()> {
    let limited = Limited::begin(driver, TIME).await?;
    let collect = sink(|row| {
        waits.add((query.read)(row)?);
        Ok(())
    });
    let asked = driver.rows((query.statement)(TIME).uncached(), collect).await;
    limited.end(driver).await?;
    asked
}
