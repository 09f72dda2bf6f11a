//! Taking and releasing advisory locks over a blocking connection.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use diesel::{connection::Connection, result::Error as DieselError};

use super::{
    advisory_guard::AdvisoryGuard,
    connection::LockConnection,
    driver::{Blocking, now, transaction},
};
use crate::{
    advisory::{AdvisoryLock, AdvisoryMode, Exclusive, Shared},
    backend::{HasAdvisoryLocks, HasSharedAdvisoryLocks, HasTransactionAdvisoryLocks},
    core::{self, Driver, Span, Taken, contended},
    error::{Holder, LockError, Result},
};

/// A connection to a backend that has advisory locks of the mode `M`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no advisory locks that are `{M}`",
    note = "advisory locks exist on PostgreSQL, MySQL and MariaDB; shared ones on PostgreSQL only"
)]
pub trait AdvisoryConnection<M>: LockConnection<Backend: HasAdvisoryLocks> {}

impl<Conn: LockConnection<Backend: HasAdvisoryLocks>> AdvisoryConnection<Exclusive> for Conn {}
impl<Conn: LockConnection<Backend: HasSharedAdvisoryLocks>> AdvisoryConnection<Shared> for Conn {}

/// Takes an [`AdvisoryLock`] over a blocking connection.
///
/// What each verb sends on PostgreSQL, if the lock is free:
///
/// | verb | statements |
/// | --- | --- |
/// | `hold` | `SELECT pg_advisory_lock($1)`, `BEGIN`, the closure's, `COMMIT`, `SELECT pg_advisory_unlock($1)` |
/// | `hold` in a transaction | `SAVEPOINT ..`, `SELECT pg_advisory_xact_lock($1)`, the closure's, `RELEASE SAVEPOINT ..` |
/// | `hold_session`, `acquire` | `SELECT pg_advisory_lock($1)`, .. , `SELECT pg_advisory_unlock($1)` |
/// | `acquire_for_transaction` | `SELECT pg_advisory_xact_lock($1)` |
/// | `try_..`, and all with a timeout | `pg_try_advisory_..` in place of the lock; if it is held and there is time, the wait under `statement_timeout` in a transaction or savepoint of its own |
///
/// Behind each that takes a lock, and behind the question of `is_held`, stands `WHERE NOT pg_is_in_recovery()`: on a hot standby all
/// are [refused](AdvisoryLock#on-a-replica).
///
/// And on MySQL and MariaDB, with `name` for what [`AdvisoryName::key_in`](crate::AdvisoryName::key_in) says, which the server
/// computes:
///
/// | verb | statements |
/// | --- | --- |
/// | `hold` | `SELECT GET_LOCK(name, 31536000)`, `BEGIN`, the closure's, `COMMIT`, `SELECT RELEASE_LOCK(name)` |
/// | `hold` in a transaction of the crate's | `SELECT GET_LOCK(name, 31536000)`, `SAVEPOINT ..`, the closure's, `RELEASE SAVEPOINT ..`; `SELECT RELEASE_LOCK(name)` behind the outermost `COMMIT` |
/// | `hold_session`, `acquire` | `SELECT GET_LOCK(name, 31536000)`, .. , `SELECT RELEASE_LOCK(name)` |
/// | `try_..`, and all with a timeout | `SELECT GET_LOCK(name, 0)` in place of the lock; if it is held and there is time, the wait under `max_execution_time` or `max_statement_time`, in milliseconds, which is set back behind it |
///
/// There, `BEGIN` and `COMMIT` of an outermost transaction come with those that keep the server from going on in autocommit
/// after a deadlock. The functions are in the manuals of [PostgreSQL][postgres], [MySQL][mysql] and [MariaDB][mariadb].
///
/// [postgres]: https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS
/// [mysql]: https://dev.mysql.com/doc/refman/9.7/en/locking-functions.html
/// [mariadb]: https://mariadb.com/docs/server/reference/sql-functions/secondary-functions/miscellaneous-functions/get_lock
///
/// # Errors
///
/// All of them: [`LockError::TimedOut`] if a timeout was given and it is up, [`LockError::Contended`] if that was zero, both
/// with the name of the lock, and nothing was done; [`LockError::Deadlock`] if the wait closed a circle, on PostgreSQL also
/// with rows; [`LockError::Unsupported`] on MySQL and MariaDB over a connection without a database, on PostgreSQL on a hot
/// standby, and the transaction goes on;
/// [`LockError::Canceled`], [`LockError::ConnectionLost`], [`LockError::Query`].
pub trait RunAdvisoryLock<M>: Sized {
    /// Takes the lock, opens a transaction, runs the closure, commits, releases the lock: nobody else gets the lock before
    /// what the closure did can be seen.
    ///
    /// The lock is released whether the closure returns `Ok`, returns an error or panics; in the last two cases the
    /// transaction is rolled back first. If the connection is lost, the server releases the lock.
    ///
    /// In an open transaction, of which only its owner knows when it is committed, the lock stays until that one ends. The
    /// closure runs in a savepoint then; if it fails, its work is undone and the lock released. MySQL and MariaDB do that in
    /// transactions of [this crate's](AdvisoryLock#in-a-transaction-on-mysql-and-mariadb) only.
    ///
    /// # Errors
    ///
    /// The closure's own; those of taking the lock, before which the closure is not run; those of Diesel's
    /// [`transaction`](diesel::Connection::transaction), turned into the closure's error type; [`LockError::Aborted`], and
    /// [`LockError::CommitUnknown`] if the answer to the `COMMIT` is lost: then the closure's work may be kept.
    ///
    /// # Panics
    ///
    /// If the closure does, after the lock was released.
    fn hold<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
    where
        Conn: AdvisoryConnection<M>,
        E: From<LockError> + From<DieselError>;

    /// As [`hold`](Self::hold), if the lock can be had, at once or within the [`timeout`](AdvisoryLock::timeout); else `None`,
    /// and the closure is not run.
    ///
    /// # Errors
    ///
    /// As [`hold`](Self::hold), but for the two that say that somebody else has the lock.
    fn try_hold<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<Option<R>, E>
    where
        Conn: AdvisoryConnection<M>,
        E: From<LockError> + From<DieselError>;

    /// Takes the lock, runs the closure without a transaction, releases the lock: for work that is long, or not in the
    /// database.
    ///
    /// In an open transaction the lock is released when the closure ends, before the commit: prefer [`hold`](Self::hold)
    /// there. An error of the closure undoes what it did in that transaction, or PostgreSQL would take no statement.
    ///
    /// # Errors
    ///
    /// The closure's own; those of taking the lock, turned into the closure's error type.
    ///
    /// # Panics
    ///
    /// If the closure does, after the lock was released.
    fn hold_session<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
    where
        Conn: AdvisoryConnection<M>,
        E: From<LockError> + From<DieselError>;

    /// Takes the lock and returns a guard that releases it when it is dropped, and lends out the connection meanwhile.
    ///
    /// # Errors
    ///
    /// Those of taking the lock.
    fn acquire<Conn>(self, conn: &mut Conn) -> Result<AdvisoryGuard<'_, Conn>>
    where
        Conn: AdvisoryConnection<M>;

    /// As [`acquire`](Self::acquire), if the lock can be had, at once or within the timeout; else `None`.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire), but for the two that say that somebody else has the lock.
    fn try_acquire<Conn>(self, conn: &mut Conn) -> Result<Option<AdvisoryGuard<'_, Conn>>>
    where
        Conn: AdvisoryConnection<M>;

    /// Takes the lock until the open transaction ends. There is nothing to release, and no pooler that could get in between.
    ///
    /// A savepoint that is rolled back releases what was taken in it. PostgreSQL only.
    ///
    /// # Errors
    ///
    /// Those of taking the lock, and [`LockError::NotInTransaction`]: nothing was sent. The transaction goes on after
    /// `TimedOut` and `Contended`.
    fn acquire_for_transaction<Conn>(self, conn: &mut Conn) -> Result<()>
    where
        Conn: AdvisoryConnection<M> + Connection<Backend: HasTransactionAdvisoryLocks>;

    /// As [`acquire_for_transaction`](Self::acquire_for_transaction); whether the lock could be had, at once or within the
    /// timeout.
    ///
    /// # Errors
    ///
    /// As [`acquire_for_transaction`](Self::acquire_for_transaction), but for the two that say that somebody else has the
    /// lock.
    fn try_acquire_for_transaction<Conn>(self, conn: &mut Conn) -> Result<bool>
    where
        Conn: AdvisoryConnection<M> + Connection<Backend: HasTransactionAdvisoryLocks>;

    /// Whether anybody holds the lock, this session included, shared or not. Asks without taking it.
    ///
    /// True or false for the moment of the question only: to decide something by it, take the lock.
    ///
    /// # Errors
    ///
    /// Those of Diesel.
    fn is_held<Conn>(&self, conn: &mut Conn) -> Result<bool>
    where
        Conn: AdvisoryConnection<M>;

    /// The sessions that hold the lock.
    ///
    /// In a transaction on PostgreSQL the question is asked in a savepoint, which is rolled back: if it fails, the transaction
    /// goes on. On a hot standby it tells of that server only.
    ///
    /// MySQL tells it to whoever may `SELECT` from its `performance_schema`, MariaDB to users with the privilege `PROCESS`.
    ///
    /// # Errors
    ///
    /// Those of Diesel.
    fn holders<Conn>(&self, conn: &mut Conn) -> Result<Vec<Holder>>
    where
        Conn: AdvisoryConnection<M>;
}

impl<M: AdvisoryMode> RunAdvisoryLock<M> for AdvisoryLock<M> {
    fn hold<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
    where
        Conn: AdvisoryConnection<M>,
        E: From<LockError> + From<DieselError>,
    {
        held(&self, conn, true, f)?.ok_or_else(|| contended(self.name()).into())
    }

    fn try_hold<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<Option<R>, E>
    where
        Conn: AdvisoryConnection<M>,
        E: From<LockError> + From<DieselError>,
    {
        held(&self, conn, false, f)
    }

    fn hold_session<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
    where
        Conn: AdvisoryConnection<M>,
        E: From<LockError> + From<DieselError>,
    {
        let nested = Blocking(conn).depth()?.is_some();
        now(core::take(&self, Span::Session, &mut Blocking(conn), true))?;
        released_after(&self, conn, |conn| if nested { transaction(conn, f) } else { f(conn) })
    }

    fn acquire<Conn>(self, conn: &mut Conn) -> Result<AdvisoryGuard<'_, Conn>>
    where
        Conn: AdvisoryConnection<M>,
    {
        now(core::take(&self, Span::Session, &mut Blocking(conn), true))?;
        Ok(AdvisoryGuard::new::<M>(conn, self.name().clone()))
    }

    fn try_acquire<Conn>(self, conn: &mut Conn) -> Result<Option<AdvisoryGuard<'_, Conn>>>
    where
        Conn: AdvisoryConnection<M>,
    {
        Ok(match now(core::take(&self, Span::Session, &mut Blocking(conn), false))? {
            Taken::Yes => Some(AdvisoryGuard::new::<M>(conn, self.name().clone())),
            Taken::No => None,
        })
    }

    fn acquire_for_transaction<Conn>(self, conn: &mut Conn) -> Result<()>
    where
        Conn: AdvisoryConnection<M> + Connection<Backend: HasTransactionAdvisoryLocks>,
    {
        now(core::take(&self, Span::Transaction, &mut Blocking(conn), true)).map(drop)
    }

    fn try_acquire_for_transaction<Conn>(self, conn: &mut Conn) -> Result<bool>
    where
        Conn: AdvisoryConnection<M> + Connection<Backend: HasTransactionAdvisoryLocks>,
    {
        Ok(now(core::take(&self, Span::Transaction, &mut Blocking(conn), false))? == Taken::Yes)
    }

    fn is_held<Conn>(&self, conn: &mut Conn) -> Result<bool>
    where
        Conn: AdvisoryConnection<M>,
    {
        now(core::is_held::<M, _>(self.name(), &mut Blocking(conn)))
    }

    fn holders<Conn>(&self, conn: &mut Conn) -> Result<Vec<Holder>>
    where
        Conn: AdvisoryConnection<M>,
    {
        now(core::holders_of(&mut Blocking(conn), self.name()))
    }
}

/// Runs the closure in a transaction under the lock, which outlives it. Nothing if the lock is not had and need not be.
fn held<M, Conn, R, E>(
    lock: &AdvisoryLock<M>,
    conn: &mut Conn,
    must: bool,
    f: impl FnOnce(&mut Conn) -> Result<R, E>,
) -> Result<Option<R>, E>
where
    M: AdvisoryMode,
    Conn: AdvisoryConnection<M>,
    E: From<LockError> + From<DieselError>,
{
    let nested = Blocking(conn).depth()?.is_some();
    if nested && Conn::Backend::END_WITH_TRANSACTIONS {
        return transaction(conn, |conn| match now(core::take(lock, Span::Transaction, &mut Blocking(conn), must))? {
            Taken::Yes => f(conn).map(Some),
            Taken::No => Ok(None),
        });
    }
    if nested && !core::is_ours(&mut Blocking(conn)) {
        return Err(LockError::end_unknown().into());
    }
    match now(core::take(lock, Span::Session, &mut Blocking(conn), must))? {
        Taken::No => Ok(None),
        Taken::Yes if nested => until_the_end(lock, conn, f).map(Some),
        Taken::Yes => released_after(lock, conn, |conn| transaction(conn, f)).map(Some),
    }
}

/// Runs the closure in a savepoint. If it fails, its work is undone and the lock is released; else it is when the outermost
/// transaction has ended.
fn until_the_end<M, Conn, R, E>(
    lock: &AdvisoryLock<M>,
    conn: &mut Conn,
    f: impl FnOnce(&mut Conn) -> Result<R, E>,
) -> Result<R, E>
where
    M: AdvisoryMode,
    Conn: AdvisoryConnection<M>,
    E: From<LockError> + From<DieselError>,
{
    let outcome = catch_unwind(AssertUnwindSafe(|| transaction(conn, f)));
    if let Ok(Ok(_)) = outcome {
        core::release_at_the_end(&mut Blocking(conn), lock.name());
    } else {
        now(core::release(lock.name(), M::SHARED, &mut Blocking(conn)));
    }
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Runs the closure and releases the lock, however it ends.
fn released_after<M, Conn, R, E>(
    lock: &AdvisoryLock<M>,
    conn: &mut Conn,
    f: impl FnOnce(&mut Conn) -> Result<R, E>,
) -> Result<R, E>
where
    M: AdvisoryMode,
    Conn: AdvisoryConnection<M>,
{
    let outcome = catch_unwind(AssertUnwindSafe(|| f(conn)));
    // What the closure did is done, and a lock that cannot be released is released by the end of its session.
    now(core::release(lock.name(), M::SHARED, &mut Blocking(conn)));
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}
