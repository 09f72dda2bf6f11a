//! Marks a connection as broken whose session must end: it has a lock that could not be released, or a setting that could not be restored.

use super::driver::Driver;
use crate::backend::LockingBackend;

/// Marks the connection, so that Diesel refuses it and a pool discards it.
///
/// On PostgreSQL the session is ended as well. There Diesel removes its mark as soon as any statement finds the session outside of a
/// transaction, so a `ROLLBACK`, or the `SELECT 1` of a pool, would make the connection usable again.
pub(crate) async fn mark_broken<D: Driver>(driver: &mut D) {
    for statement in D::DB::END_SESSION {
        // The connection may be gone already.
        let _ = driver.batch(statement).await;
    }
    driver.status().set_in_error();
}
