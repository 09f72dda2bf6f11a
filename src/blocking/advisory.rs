//! Takes and releases advisory locks over a blocking connection.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::result::Error as DieselError;

use super::{
    advisory_guard::{AdvisoryGuard, OwnedAdvisoryGuard},
    connection::LockConnection,
    driver::{Blocking, now},
};
use crate::{
    advisory::{AdvisoryLock, AdvisoryMode},
    backend::{AdvisoryBackend, SupportsAdvisory},
    core::{self, Hold, Span, Taken, contended},
    error::{Holder, LockError, Result},
    markers::Transactional,
};

/// Takes an [`AdvisoryLock`] over a blocking connection.
///
/// The statements of each method on PostgreSQL, if the lock is free:
///
/// | method | statements |
/// | --- | --- |
/// | `hold` | `SELECT pg_advisory_lock($1)`, `BEGIN`, the closure's, `COMMIT; SELECT pg_advisory_unlock(..)`; two statements if the commit fails, or over a connection that is not Diesel's own |
/// | `hold` in a transaction | `SAVEPOINT ..`, `SELECT pg_advisory_xact_lock($1)`, the closure's, `RELEASE SAVEPOINT ..` |
/// | `hold_session`, `acquire` | `SELECT pg_advisory_lock($1)`, .. , `SELECT pg_advisory_unlock($1)` |
/// | `acquire_for_transaction` | `SELECT pg_advisory_xact_lock($1)` |
/// | `try_..`, and all with a timeout | `pg_try_advisory_..` in place of the lock; if it is held and there is time, the wait under `statement_timeout` in a transaction or savepoint of its own |
///
/// Each statement that takes a lock, and that of `is_held`, ends with `WHERE NOT pg_is_in_recovery()`: on a hot standby all
/// of them are [refused](AdvisoryLock#on-a-replica).
///
/// The statements on MySQL and MariaDB, where `name` is [`AdvisoryName::key_in`](crate::AdvisoryName::key_in), computed by the server:
///
/// | method | statements |
/// | --- | --- |
/// | `hold` | `SELECT GET_LOCK(name, 31536000)`, `BEGIN`, the closure's, `COMMIT`, `SELECT RELEASE_LOCK(name)` |
/// | `hold` in a transaction of the crate's | `SELECT GET_LOCK(name, 31536000)`, `SAVEPOINT ..`, the closure's, `RELEASE SAVEPOINT ..`; `SELECT RELEASE_LOCK(name)` after the outermost `COMMIT` |
/// | `hold_session`, `acquire` | `SELECT GET_LOCK(name, 31536000)`, .. , `SELECT RELEASE_LOCK(name)` |
/// | `try_..`, and all with a timeout | `SELECT GET_LOCK(name, 0)` in place of the lock; if it is held and there is time, the wait under `max_execution_time` or `max_statement_time`, in milliseconds, which is reset afterwards |
///
/// On these servers, further statements around `BEGIN` and `COMMIT` of an outermost transaction keep the server from going on in
/// autocommit after a deadlock. The functions are in the manuals of [PostgreSQL][postgres], [MySQL][mysql] and [MariaDB][mariadb].
///
/// [postgres]: https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS
/// [mysql]: https://dev.mysql.com/doc/refman/9.7/en/locking-functions.html
/// [mariadb]: https://mariadb.com/docs/server/reference/sql-functions/secondary-functions/miscellaneous-functions/get_lock
///
/// # Errors
///
/// Every method that takes the lock can return these:
///
/// - [`LockError::TimedOut`] if a timeout was set and is up, [`LockError::Contended`] if it was zero, both with the name of the lock;
///   nothing was done.
/// - [`LockError::Deadlock`] if the wait closed a circle of waits, on PostgreSQL also a circle with rows.
/// - [`LockError::Unsupported`] on MySQL and MariaDB over a connection without a database, and on PostgreSQL on a hot standby; the
///   transaction goes on.
/// - [`LockError::Canceled`], [`LockError::ConnectionLost`], [`LockError::Query`].
///
/// A call in an open transaction leaves it as [the table of errors](crate::_documentation::errors#the-transaction-after-each-error) says, but
/// goes on after a `TimedOut` by the lock's own [`timeout`](AdvisoryLock::timeout): that wait is in a savepoint of its own.
pub trait RunAdvisoryLock<M>: Sized {
    /// Takes the lock, opens a transaction, runs the closure, commits, and releases the lock: no other session gets the lock before
    /// it can see the changes of the closure.
    ///
    /// The lock is released whether the closure returns `Ok`, returns an error or panics; in the last two cases the
    /// transaction is rolled back first. If the connection is lost, the server releases the lock.
    ///
    /// In an open transaction, the lock stays until that transaction ends, since its commit makes the changes visible. The
    /// closure runs in a savepoint then; if it fails, its work is undone and the lock is released. On MySQL and MariaDB this works in
    /// transactions of [this crate](AdvisoryLock#in-a-transaction-on-mysql-and-mariadb) only.
    ///
    /// # Errors
    ///
    /// The closure's own; those of taking the lock, after which the closure is not run; those of Diesel's
    /// [`transaction`](diesel::Connection::transaction), converted into the closure's error type; [`LockError::Aborted`]; and
    /// [`LockError::CommitUnknown`] if the answer to the `COMMIT` is lost: then the closure's work may be committed.
    ///
    /// # Panics
    ///
    /// If the closure does, after the lock was released.
    fn hold<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>,
        E: From<LockError> + From<DieselError>;

    /// Like [`hold`](Self::hold), if the lock is free, at once or within the [`timeout`](AdvisoryLock::timeout). Else it returns `None`,
    /// and the closure is not run.
    ///
    /// # Errors
    ///
    /// Those of [`hold`](Self::hold), except `Contended` and `TimedOut` of this lock.
    fn try_hold<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<Option<R>, E>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>,
        E: From<LockError> + From<DieselError>;

    /// Takes the lock, runs the closure without a transaction, and releases the lock. Use it for work that takes long, or that is not in
    /// the database.
    ///
    /// In an open transaction the lock is released when the closure ends, before the commit: prefer [`hold`](Self::hold)
    /// there. The closure runs in a savepoint then, which is rolled back if it fails: else PostgreSQL would refuse the statement that
    /// releases the lock.
    ///
    /// # Errors
    ///
    /// The closure's own; those of taking the lock, converted into the closure's error type;
    /// [`AdvisoryLockLost`](crate::LockError::AdvisoryLockLost) if the closure returned `Ok` and the lock was lost before it did.
    ///
    /// # Panics
    ///
    /// If the closure does, after the lock was released.
    fn hold_session<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>,
        E: From<LockError> + From<DieselError>;

    /// Takes the lock and returns a guard, which dereferences to the connection and releases the lock when it is dropped.
    ///
    /// # Errors
    ///
    /// Those of taking the lock.
    fn acquire<Conn>(self, conn: &mut Conn) -> Result<AdvisoryGuard<'_, Conn>>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>;

    /// Like [`acquire`](Self::acquire), if the lock is free, at once or within the timeout. Else it returns `None`.
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](Self::acquire), except `Contended` and `TimedOut`.
    fn try_acquire<Conn>(self, conn: &mut Conn) -> Result<Option<AdvisoryGuard<'_, Conn>>>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>;

    /// Like [`acquire`](Self::acquire), with a guard that owns the connection, such as one out of a pool: for a lock that is kept in a struct,
    /// or as long as the process lives.
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](Self::acquire). The connection is dropped then, which puts it back into its pool.
    fn acquire_owned<Conn>(self, conn: Conn) -> Result<OwnedAdvisoryGuard<Conn>>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>;

    /// Like [`acquire_owned`](Self::acquire_owned), if the lock is free, at once or within the timeout. Else it returns `None`, and the
    /// connection is dropped, which puts it back into its pool.
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](Self::acquire), except `Contended` and `TimedOut`. The connection is dropped then, too.
    ///
    /// # Example
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() -> Result<(), LockError> {
    /// let nightly = || AdvisoryLock::named("nightly backup");
    /// let mut guard = nightly().try_acquire_owned(establish())?.expect("free");
    /// // Another process leaves it to this one.
    /// assert!(nightly().try_acquire_owned(establish())?.is_none());
    /// assert!(guard.is_held()?);
    /// # Ok(()) }
    /// ```
    fn try_acquire_owned<Conn>(self, conn: Conn) -> Result<Option<OwnedAdvisoryGuard<Conn>>>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>;

    /// Takes the lock until the open transaction ends. No statement releases it, so it also works behind a pooler.
    ///
    /// A savepoint that is rolled back releases the locks that were taken in it. PostgreSQL only.
    ///
    /// # Errors
    ///
    /// Those of taking the lock, and [`LockError::NotInTransaction`]: nothing was sent. The transaction goes on after
    /// `TimedOut` and `Contended`.
    fn acquire_for_transaction<Conn>(self, conn: &mut Conn) -> Result<()>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M> + SupportsAdvisory<Transactional>>;

    /// Like [`acquire_for_transaction`](Self::acquire_for_transaction), if the lock is free, at once or within the timeout. Returns
    /// whether it was taken.
    ///
    /// # Errors
    ///
    /// Those of [`acquire_for_transaction`](Self::acquire_for_transaction), except `Contended` and `TimedOut`.
    fn try_acquire_for_transaction<Conn>(self, conn: &mut Conn) -> Result<bool>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M> + SupportsAdvisory<Transactional>>;

    /// Returns whether any session holds the lock, this one included, shared or not. It does not take the lock.
    ///
    /// The answer is out of date as soon as it is given: to base a decision on it, take the lock.
    ///
    /// # Errors
    ///
    /// Those of Diesel, and [`LockError::Unsupported`] on a hot standby, after which a transaction goes on.
    fn is_held<Conn>(&self, conn: &mut Conn) -> Result<bool>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>;

    /// Returns the sessions that hold the lock.
    ///
    /// In a transaction on PostgreSQL the query is sent in a savepoint, which is rolled back: if it fails, the transaction
    /// goes on. On a hot standby the result is about that server only.
    ///
    /// On MySQL the user needs `SELECT` on `performance_schema`, on MariaDB the privilege `PROCESS`.
    ///
    /// # Errors
    ///
    /// Those of Diesel.
    fn holders<Conn>(&self, conn: &mut Conn) -> Result<Vec<Holder>>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>;
}

impl<M: AdvisoryMode> RunAdvisoryLock<M> for AdvisoryLock<M> {
    fn hold<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>,
        E: From<LockError> + From<DieselError>,
    {
        let hold = now(Hold::begin::<_, _, E>(&self, &mut Blocking(conn), true))?;
        let Some(hold) = hold else { return Err(contended(self.name()).into()) };
        run(conn, hold, f)
    }

    fn try_hold<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<Option<R>, E>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>,
        E: From<LockError> + From<DieselError>,
    {
        let hold = now(Hold::begin::<_, _, E>(&self, &mut Blocking(conn), false))?;
        hold.map(|hold| run(conn, hold, f)).transpose()
    }

    fn hold_session<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>,
        E: From<LockError> + From<DieselError>,
    {
        let hold = now(Hold::begin_session::<_, _, E>(&self, &mut Blocking(conn)))?;
        run(conn, hold, f)
    }

    fn acquire<Conn>(self, conn: &mut Conn) -> Result<AdvisoryGuard<'_, Conn>>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>,
    {
        now(core::take(&self, Span::Session, &mut Blocking(conn), true))?;
        Ok(AdvisoryGuard::new::<M>(conn, self.name().clone()))
    }

    fn try_acquire<Conn>(self, conn: &mut Conn) -> Result<Option<AdvisoryGuard<'_, Conn>>>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>,
    {
        Ok(match now(core::take(&self, Span::Session, &mut Blocking(conn), false))? {
            Taken::Yes => Some(AdvisoryGuard::new::<M>(conn, self.name().clone())),
            Taken::No => None,
        })
    }

    fn acquire_owned<Conn>(self, mut conn: Conn) -> Result<OwnedAdvisoryGuard<Conn>>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>,
    {
        now(core::take(&self, Span::Session, &mut Blocking(&mut conn), true))?;
        Ok(OwnedAdvisoryGuard::new::<M>(conn, self.name().clone()))
    }

    fn try_acquire_owned<Conn>(self, mut conn: Conn) -> Result<Option<OwnedAdvisoryGuard<Conn>>>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>,
    {
        let taken = now(core::take(&self, Span::Session, &mut Blocking(&mut conn), false))? == Taken::Yes;
        Ok(taken.then(|| OwnedAdvisoryGuard::new::<M>(conn, self.name().clone())))
    }

    fn acquire_for_transaction<Conn>(self, conn: &mut Conn) -> Result<()>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M> + SupportsAdvisory<Transactional>>,
    {
        now(core::take(&self, Span::Transaction, &mut Blocking(conn), true)).map(drop)
    }

    fn try_acquire_for_transaction<Conn>(self, conn: &mut Conn) -> Result<bool>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M> + SupportsAdvisory<Transactional>>,
    {
        Ok(now(core::take(&self, Span::Transaction, &mut Blocking(conn), false))? == Taken::Yes)
    }

    fn is_held<Conn>(&self, conn: &mut Conn) -> Result<bool>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>,
    {
        now(core::is_held::<M, _>(self.name(), &mut Blocking(conn)))
    }

    fn holders<Conn>(&self, conn: &mut Conn) -> Result<Vec<Holder>>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>,
    {
        now(core::holders_of(&mut Blocking(conn), self.name()))
    }
}

/// Runs the closure of a hold, and ends the hold.
fn run<Conn, R, E>(conn: &mut Conn, hold: Hold, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
where
    Conn: LockConnection<Backend: AdvisoryBackend>,
    E: From<LockError> + From<DieselError>,
{
    let outcome = catch_unwind(AssertUnwindSafe(|| f(conn)));
    now(hold.end(&mut Blocking(conn), outcome))
}
