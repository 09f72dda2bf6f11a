//! Refuses queries that need a fresh snapshot in transactions that have none.
//!
//! The server evaluates a condition that is about more than the locked row (a subquery, a join, raw SQL, a function of the user's) as of the
//! beginning of a statement. So it is evaluated again when the row is locked, by a statement that sees what was committed during the wait.
//! Under REPEATABLE READ no statement does, and such a query is refused before a row is touched.
//!
//! The isolation level is asked for only for such queries, by a statement of its own: the client does not know it, unless the crate has begun
//! the transaction.

use super::driver::Driver;
use crate::{
    backend::{LockingBackend, sink},
    error::{LockError, Result},
};

/// Fails if no statement of the transaction sees what was committed after its first one.
pub(super) async fn refuse_old_snapshot<D: Driver>(driver: &mut D) -> Result<()> {
    let Some(snapshots) = D::DB::SNAPSHOTS else { return Ok(()) };
    let (read, mut fresh) = (snapshots.are_fresh, false);
    let answer = sink(|row| {
        fresh = read(row)?;
        Ok(())
    });
    driver.rows((snapshots.ask)(), answer).await?;
    if fresh { Ok(()) } else { Err(LockError::old_snapshot()) }
}
