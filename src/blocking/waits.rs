//! Asks who waits for whom, over a blocking connection.

use super::{
    connection::LockConnection,
    driver::{Blocking, now},
};
use crate::{backend::HasLockWaits, core, error::Result, waits::LockWaits};

/// Asks the server who waits for whom, over a blocking connection.
pub trait RunLockWaits: Sized {
    /// Asks the server which sessions wait for locks, and which sessions hold them.
    ///
    /// It locks nothing, waits for none of the sessions that it looks at, and takes at most two seconds. On MariaDB it takes a tenth of a
    /// second, the age that its information about row locks has to have.
    ///
    /// | PostgreSQL | MySQL, MariaDB |
    /// | --- | --- |
    /// | `BEGIN`, in an open transaction `SAVEPOINT`; `SET LOCAL lock_timeout`, `set_config('statement_timeout', .., true)`; one query; `ROLLBACK` | three queries, the first two under `MAX_EXECUTION_TIME` or `max_statement_time` |
    ///
    /// A transaction that was begun by a raw `BEGIN`, of which Diesel does not know, ends with this `ROLLBACK`.
    ///
    /// PostgreSQL computes who blocks whom under a [lock on its table of locks][blocking]: do not take a snapshot many times a second on a
    /// busy server.
    ///
    /// [blocking]: https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SESSION
    ///
    /// # Errors
    ///
    /// [`LockError::ConnectionLost`](crate::LockError::ConnectionLost), and [`LockError::Query`](crate::LockError::Query) over a connection
    /// that is marked as broken. A query that the server refuses, or that does not end in time, is no error: [`LockWaits::limits`] says what
    /// is missing for it, and an open transaction goes on.
    ///
    /// # Example
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() {
    /// # let conn = &mut establish();
    /// let waits = LockWaits::snapshot(conn).unwrap();
    /// for session in waits.roots() {
    ///     let idle = session.is_idle_in_transaction();
    ///     println!("session {} blocks others; idle: {idle}", session.id);
    /// }
    /// println!("{waits}");
    /// # }
    /// ```
    fn snapshot<Conn>(conn: &mut Conn) -> Result<Self>
    where
        Conn: LockConnection<Backend: HasLockWaits>;
}

impl RunLockWaits for LockWaits {
    fn snapshot<Conn>(conn: &mut Conn) -> Result<Self>
    where
        Conn: LockConnection<Backend: HasLockWaits>,
    {
        now(core::snapshot(&mut Blocking(conn)))
    }
}
