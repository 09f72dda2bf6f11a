//! Marks a connection as broken whose session must end: it has a lock that could not be released, or a setting that could not be restored.

use super::driver::Driver;
use crate::backend::LockingBackend;

/// Marks the connection, so that Diesel refuses it and a pool does not hand it out again.
///
/// The session is ended as well. A pool may keep a connection that is marked for hours; and on PostgreSQL Diesel removes its mark as soon
/// as any statement finds the session outside of a transaction, so a `ROLLBACK`, or the `SELECT 1` of a pool, would make the connection
/// usable again.
pub(crate) async fn mark_broken<D: Driver>(driver: &mut D) {
    if driver.gives_up() {
        return;
    }
    if let Some(statement) = D::DB::END_SESSION {
        // The connection may be gone already.
        let _ = driver.batch(statement).await;
    }
    driver.status().set_in_error();
}
