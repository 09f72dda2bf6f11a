//! A time limit for queries about other sessions, which leaves nothing behind.

use std::time::{Duration, Instant};

use diesel::result::QueryResult;

use super::driver::Driver;
use crate::backend::{Clock, LockingBackend};

/// A time limit for the queries of one question.
///
/// Where an error aborts the transaction, the queries have a transaction or savepoint and a limit of their own, both of which are undone.
/// Where an error undoes its own statement only, each statement brings its limit along.
pub(super) struct Limited {
    end: Instant,
    undone: bool,
}

impl Limited {
    /// Begins the time. If this fails, nothing is left behind.
    pub(super) async fn begin<D: Driver>(driver: &mut D, time: Duration) -> QueryResult<Self> {
        let (end, undone) = (Instant::now() + time, !<D::DB as LockingBackend>::Clock::OUTLIVES_A_ROLLBACK);
        if undone {
            driver.begin().await?;
            let limited = match <D::DB as LockingBackend>::Clock::limit_until_rollback(time) {
                Some(limit) => driver.batch(&limit).await,
                None => Ok(()),
            };
            if let Err(error) = limited {
                driver.rollback().await?;
                return Err(error);
            }
        }
        Ok(Limited { end, undone })
    }

    /// Returns the time that is left; `None` if it is over.
    pub(super) fn left(&self) -> Option<Duration> {
        Some(self.end.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    /// Undoes the limit.
    pub(super) async fn end<D: Driver>(self, driver: &mut D) -> QueryResult<()> {
        if self.undone { driver.rollback().await } else { Ok(()) }
    }
}
