//! Sessions over the connections of `diesel-async` to the servers.

use std::time::Duration;

use diesel::{
    Connection, QueryResult, connection::TransactionManager, mysql::Mysql, pg::Pg, result::Error as DieselError,
};
use diesel_async::{
    AsyncMysqlConnection, AsyncPgConnection,
    pooled_connection::{
        AsyncDieselConnectionManager, bb8,
        deadpool::{Object, Pool},
    },
};
use diesel_lockset::{LockError, LockSet, LockTarget, Locked, bounds::IntoKey};

use super::{
    Async, Blocked, Owned, block_on,
    session::{establish, sessions},
    verbs::{LockDsl, RunLockSet},
};
use crate::support::{driver::Session, mysql::MysqlFamily, postgres::Postgres, server::Server, statements::Statements};

/// The only connection of a pool of its own.
macro_rules! out_of_a_pool {
    ($url:expr) => {{
        let pool = Pool::builder(AsyncDieselConnectionManager::new($url)).max_size(1).build().expect("a pool");
        let conn = block_on(pool.get()).unwrap_or_else(|error| panic!("cannot connect to {}: {error}", $url));
        // The connection goes on without its pool, and is closed when it is dropped.
        drop(pool);
        conn
    }};
}

/// As [`out_of_a_pool`], of `bb8`.
macro_rules! out_of_bb8 {
    ($url:expr) => {{
        let pool = bb8::Pool::builder().max_size(1).build(AsyncDieselConnectionManager::new($url));
        let conn = block_on(async { pool.await.expect("a pool").get_owned().await });
        conn.unwrap_or_else(|error| panic!("cannot connect to {}: {error}", $url))
    }};
}

macro_rules! skip_locked {
    ($row:expr, $conn:expr) => {
        $row.skip_locked().lock($conn)
    };
}

sessions! {
    AsyncPgConnection, Postgres, Pg, skip_locked, |url| establish(url);
    Object<AsyncPgConnection>, Postgres, Pg, skip_locked, |url| out_of_a_pool!(url);
    Owned<AsyncPgConnection>, Postgres, Pg, skip_locked, |url| out_of_bb8!(url);
    AsyncMysqlConnection, MysqlFamily, Mysql, skip_locked, |url| establish(url);
    Object<AsyncMysqlConnection>, MysqlFamily, Mysql, skip_locked, |url| out_of_a_pool!(url);
}
