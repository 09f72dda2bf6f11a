//! The connections that rows can be locked over.

use diesel::connection::Connection;

use crate::{
    backend::LockingBackend,
    diesel_internals::{DefaultLoadingMode, LoadConnection},
};

/// A connection that rows can be locked over: any of Diesel's, also out of a pool, to a backend that has row locks.
///
/// Implemented for all of them; name it as a bound in code that is generic over connections, as the page
/// [backends](crate::_documentation::backends#one-function-for-postgresql-mysql-mariadb-and-sqlite) shows.
///
/// A connection of another make, such as one that wraps one of Diesel's or `AsyncConnectionWrapper` of `diesel-async`, need not note
/// down that the server has given the transaction up. So the server is asked before the crate commits a transaction of its own
/// there: on PostgreSQL by one statement more, a savepoint, which an aborted transaction [refuses][refuses]; on MySQL and MariaDB as
/// over any connection. Its transaction manager must keep what it is told of its state, and a pool must not hand it out again if
/// that says that it is broken.
///
/// [refuses]: https://www.postgresql.org/docs/current/errcodes-appendix.html
#[diagnostic::on_unimplemented(
    message = "rows cannot be locked over `{Self}`",
    label = "not a connection to a backend with row locks",
    note = "a connection of Diesel to PostgreSQL, MySQL or SQLite is one, alone or out of an r2d2 pool, with the feature `postgres`, \
            `mysql` or `sqlite` of diesel_lockset",
    note = "connections of `diesel-async` do not block: their calls are in `diesel_lockset::nonblocking::prelude`",
    note = "a `MultiConnection` has a backend of its own: match on it, and call a function that is generic over `LockConnection` with the \
            connection inside, as `_documentation::backends` shows"
)]
pub trait LockConnection: Connection<Backend: LockingBackend> + LoadConnection<DefaultLoadingMode> {}

#[diagnostic::do_not_recommend]
impl<Conn> LockConnection for Conn where Conn: Connection<Backend: LockingBackend> + LoadConnection<DefaultLoadingMode> {}
