//! The tests over an `AsyncMysqlConnection`.

use diesel_lockset::{LockError, LockWaits, nonblocking::RunLockWaits};

use crate::support::{
    nonblocking::MysqlNonblocking as Driver,
    nonblocking::{block_on, verbs},
};

fn snapshot(conn: &mut <Driver as crate::support::driver::Session>::Conn) -> Result<LockWaits, LockError> {
    block_on(<LockWaits as RunLockWaits>::snapshot(conn))
}

#[path = "contract.rs"]
mod contract;
