//! Gives up a connection whose session must not live on: with a lock that could not be released, or a setting that could not be put
//! back.

use super::driver::Driver;
use crate::backend::LockingBackend;

/// Diesel refuses the connection from here on, and a pool throws it away.
///
/// Diesel's mark alone is not enough on PostgreSQL: there it takes the connection for whole again as soon as any statement finds the
/// session outside of a transaction, so a `ROLLBACK` of somebody's, or the `SELECT 1` of a pool, would bring it back. So the
/// session itself is ended.
pub(super) async fn mark_broken<D: Driver>(driver: &mut D) {
    for statement in D::DB::END_SESSION {
        // The connection may be gone already.
        let _ = driver.batch(statement).await;
    }
    driver.status().set_in_error();
}
