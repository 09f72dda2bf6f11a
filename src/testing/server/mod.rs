//! The questions that a test asks of a server: which sessions wait, and for whom. Never of a clock.

#[cfg(feature = "mysql")]
mod mysql;
mod on_database;
#[cfg(feature = "postgres")]
mod postgres;
mod wait;

use diesel::result::QueryResult;

use crate::{
    backend::HasLockWaits,
    blocking::{LockConnection, RunLockWaits},
    error::{LockError, Result},
    session::LockSession,
    waits::LockWaits,
};

pub(crate) use self::wait::until;

/// A session that waits for a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[doc(hidden)]
pub struct Wait {
    /// The server's number of the session that waits.
    pub session: i64,
    /// The sessions that it waits for; empty if the server does not tell.
    pub blockers: Vec<i64>,
}

/// A kind of server that tests can be run on: PostgreSQL, and MySQL or MariaDB.
///
/// Name it as a bound in code that is generic over connections. Its methods are for the crate.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no sessions that wait for each other's rows",
    note = "tests of locking are for PostgreSQL, MySQL and MariaDB, with the feature `postgres` or `mysql` of diesel_lockset"
)]
pub trait TestBackend: HasLockWaits {
    /// The port of a server whose url has none.
    #[doc(hidden)]
    const PORT: u16;

    /// The option of a url for a connection whose requests can be read.
    #[doc(hidden)]
    const PLAIN: &'static str;

    /// Returns whether a request executes a statement: preparing one, or setting an option, has an answer of its own.
    #[doc(hidden)]
    fn executes(request: &[u8]) -> bool;

    /// Returns the server's number of the session.
    #[doc(hidden)]
    fn session<C: LockConnection<Backend = Self>>(conn: &mut C) -> QueryResult<i64>;

    /// Returns those of the sessions that wait for a lock at this moment.
    #[doc(hidden)]
    fn waits<C: LockConnection<Backend = Self>>(conn: &mut C, sessions: &[i64]) -> QueryResult<Vec<Wait>>;

    /// Looks who waits, where others who look must wait for it.
    #[doc(hidden)]
    fn in_turn<C: LockConnection<Backend = Self>, T>(conn: &mut C, look: impl FnOnce(&mut C) -> T) -> T {
        look(conn)
    }

    /// Returns the name of the connection's database.
    #[doc(hidden)]
    fn database<C: LockConnection<Backend = Self>>(conn: &mut C) -> QueryResult<String>;

    /// Ends a session, as an administrator or a crash would. It may be there for a moment longer.
    #[doc(hidden)]
    fn terminate<C: LockConnection<Backend = Self>>(conn: &mut C, session: i64) -> QueryResult<()>;

    /// Returns whether the session is there.
    #[doc(hidden)]
    fn exists<C: LockConnection<Backend = Self>>(conn: &mut C, session: i64) -> QueryResult<bool>;

    /// Returns a line for each other session of the connection's database: what it does.
    #[doc(hidden)]
    fn activity<C: LockConnection<Backend = Self>>(conn: &mut C) -> QueryResult<Vec<String>>;

    /// Returns what these sessions do, of those that are there.
    #[doc(hidden)]
    fn sessions<C: LockConnection<Backend = Self>>(conn: &mut C, sessions: &[i64]) -> QueryResult<Vec<LockSession>>;

    /// Sets what makes a test faster and changes no result. What the user may not set stays as it is.
    #[doc(hidden)]
    fn tune<C: LockConnection<Backend = Self>>(conn: &mut C);

    /// Creates an empty database.
    #[doc(hidden)]
    fn create_database<C: LockConnection<Backend = Self>>(conn: &mut C, name: &str) -> QueryResult<()>;

    /// Drops a database, with the sessions in it.
    #[doc(hidden)]
    fn drop_database<C: LockConnection<Backend = Self>>(conn: &mut C, name: &str) -> QueryResult<()>;
}

/// Returns what the sessions of this database do, and who waits for whom, as text for an error.
pub(crate) fn activity<C: LockConnection<Backend: TestBackend>>(conn: &mut C) -> String {
    let lines =
        C::Backend::activity(conn).unwrap_or_else(|error| vec![format!("(the sessions are not told: {error})")]);
    match waits(conn) {
        Ok(waits) => format!("{}\n{waits}", lines.join("\n")),
        Err(error) => format!("{}\n(who waits is not told: {error})", lines.join("\n")),
    }
}

/// Returns who waits for whom on the whole server.
pub(crate) fn waits<C: LockConnection<Backend: TestBackend>>(conn: &mut C) -> Result<LockWaits, LockError> {
    C::Backend::in_turn(conn, LockWaits::snapshot)
}

/// Ends a session, and returns when it is gone and its locks are free. Returns `false` if that takes longer than the time.
pub(crate) fn end_session<C>(conn: &mut C, session: i64, time: std::time::Duration) -> QueryResult<bool>
where
    C: LockConnection<Backend: TestBackend>,
{
    // Fails if it has ended by itself.
    let _ = C::Backend::terminate(conn, session);
    let gone = until(time, || Ok::<_, diesel::result::Error>((!C::Backend::exists(conn, session)?).then_some(())))?;
    Ok(gone.is_some())
}
