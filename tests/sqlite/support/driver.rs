//! The blocking drivers of SQLite.

use diesel::{
    SqliteConnection,
    r2d2::{ConnectionManager, PooledConnection},
};

use super::{
    direct::{Direct, Open},
    server::Server,
    single_writer::SqliteFile,
};

pub(crate) use super::session::Session;

/// A `SqliteConnection` to a file with a rollback journal.
pub(crate) type SqliteBlocking = Direct<SqliteConnection, SqliteFile<false>>;

/// A `SqliteConnection` to a file with a write-ahead log.
pub(crate) type SqliteBlockingWal = Direct<SqliteConnection, SqliteFile<true>>;

/// The plain driver, for the tests of the support.
pub(crate) type Blocking = SqliteBlockingWal;

/// The pooled one.
pub(crate) type Pooled = SqlitePooled;

/// A connection to SQLite handed out by a pool.
pub(crate) type SqlitePooled = Direct<PooledConnection<ConnectionManager<SqliteConnection>>, SqliteFile<true>>;

impl Open for SqliteConnection {
    type Server = SqliteFile<true>;

    fn open(url: &str) -> Self {
        SqliteFile::<true>::connect(url)
    }
}
