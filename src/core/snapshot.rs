//! What only a fresh snapshot can answer.
//!
//! A condition that is about more than the locked row (a subquery, a join, raw SQL, a function of the user's) is evaluated as of the
//! beginning of a statement. So it is evaluated again when the row is held, by a statement that sees what was committed while the
//! row was waited for. Where no statement of the transaction does, such a query is refused before a row is touched.
//!
//! The level is asked for only where it matters, by a statement of its own: that a transaction is READ COMMITTED is nowhere on this
//! side of the connection, except where this crate has begun it.

use super::driver::Driver;
use crate::{
    backend::{LockingBackend, sink},
    error::{LockError, Result},
};

/// Fails if no statement of the transaction sees what was committed after its first one.
pub(super) async fn refuse_old_snapshot<D: Driver>(driver: &mut D) -> Result<()> {
    let snapshots = D::DB::SNAPSHOTS;
    let (read, mut fresh) = (snapshots.are_fresh, false);
    let answer = sink(|row| {
        fresh = read(row)?;
        Ok(())
    });
    driver.rows((snapshots.ask)(), answer).await?;
    if fresh { Ok(()) } else { Err(LockError::old_snapshot()) }
}
