//! The tests over a plain `PgConnection`.

use diesel_lockset::{LockError, LockWaits, RunLockWaits};

use crate::support::{driver::Blocking as Driver, verbs};

fn snapshot(conn: &mut <Driver as crate::support::driver::Session>::Conn) -> Result<LockWaits, LockError> {
    RunLockWaits::snapshot(conn)
}

#[path = "contract.rs"]
mod contract;
