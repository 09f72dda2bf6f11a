//! Sessions over a `SqliteConnection` that runs its calls in threads.

#[path = "../../support/nonblocking/guard.rs"]
mod guard;
#[path = "../../support/nonblocking/runtime.rs"]
mod runtime;
#[path = "../../support/nonblocking/session.rs"]
mod session;
#[path = "../../support/nonblocking/verbs/mod.rs"]
pub(crate) mod verbs;

use std::time::Duration;

use diesel::{
    Connection, QueryResult, SqliteConnection, connection::TransactionManager, result::Error as DieselError,
    sqlite::Sqlite,
};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_lockset::{LockError, LockSet, LockTarget, Locked, bounds::IntoKey};

use self::{
    session::{establish, sessions},
    verbs::{LockDsl, RunLockSet},
};
use super::{driver::Session, server::Server, single_writer::SqliteFile, statements::Statements};

pub(crate) use self::{
    runtime::{Blocked, block_on, runtime},
    session::Async,
};

/// On a file with a write-ahead log.
pub(crate) type SqliteNonblocking = Async<SyncConnectionWrapper<SqliteConnection>>;

/// The method has a bound that keeps it from being called.
macro_rules! skips_nothing {
    ($row:expr, $conn:expr) => {{
        let (_, _) = ($row, $conn);
        unreachable!("SQLite skips nothing")
    }};
}

sessions! {
    SyncConnectionWrapper<SqliteConnection>, SqliteFile<true>, Sqlite, skips_nothing, |url| establish(url);
}
