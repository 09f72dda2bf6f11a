//! Taking and releasing advisory locks over a blocking connection.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use diesel::result::Error as DieselError;

use super::{
    advisory_guard::AdvisoryGuard,
    advisory_locks::{self, Span, Taken, take},
    blocking::LockConnection,
    guarded,
};
use crate::{
    advisory::{AdvisoryLock, AdvisoryMode, Exclusive, Shared},
    backend::{HasAdvisoryLocks, HasSharedAdvisoryLocks, HasTransactionAdvisoryLocks},
    diesel_internals::transaction_depth,
    error::{Holder, LockError, Result},
};

/// A connection to a backend that has advisory locks of the mode `M`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no advisory locks that are `{M}`",
    note = "advisory locks, exclusive and shared, exist on PostgreSQL"
)]
pub trait AdvisoryConnection<M>: LockConnection<Backend: HasTransactionAdvisoryLocks> {}

impl<Conn: LockConnection<Backend: HasTransactionAdvisoryLocks>> AdvisoryConnection<Exclusive> for Conn {}
impl<Conn> AdvisoryConnection<Shared> for Conn where
    Conn: LockConnection<Backend: HasTransactionAdvisoryLocks + HasSharedAdvisoryLocks>
{
}

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
/// The functions are in [PostgreSQL's manual][manual].
///
/// [manual]: https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS
///
/// # Errors
///
/// All of them: [`LockError::TimedOut`] if a timeout was given and it is up, [`LockError::Contended`] if that was zero, both
/// with the name of the lock, and nothing was done; [`LockError::Deadlock`] if the wait closed a circle, also with rows;
/// [`LockError::Canceled`], [`LockError::ConnectionLost`], [`LockError::Query`].
pub trait RunAdvisoryLock<M>: Sized {
    /// Takes the lock, opens a transaction, runs the closure, commits, releases the lock: nobody else gets the lock before
    /// what the closure did can be seen.
    ///
    /// The lock is released whether the closure returns `Ok`, returns an error or panics; in the last two cases the
    /// transaction is rolled back first. If the connection is lost, the server releases the lock.
    ///
    /// In an open transaction, of which only its owner knows when it is committed, the lock stays until that one ends. The
    /// closure runs in a savepoint then; if it fails, its work is undone and the lock released.
    ///
    /// # Errors
    ///
    /// The closure's own; those of taking the lock, before which the closure is not run; those of Diesel's
    /// [`transaction`](diesel::Connection::transaction), turned into the closure's error type.
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
    /// there. An error of the closure undoes what it did in that transaction, or the server would take no statement.
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
        Conn: AdvisoryConnection<M>;

    /// As [`acquire_for_transaction`](Self::acquire_for_transaction); whether the lock could be had, at once or within the
    /// timeout.
    ///
    /// # Errors
    ///
    /// As [`acquire_for_transaction`](Self::acquire_for_transaction), but for the two that say that somebody else has the
    /// lock.
    fn try_acquire_for_transaction<Conn>(self, conn: &mut Conn) -> Result<bool>
    where
        Conn: AdvisoryConnection<M>;

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
        if transaction_depth(conn)?.is_some() {
            return guarded::transaction(conn, |conn| {
                take(&self, Span::Transaction, conn, true)?;
                f(conn)
            });
        }
        take(&self, Span::Session, conn, true)?;
        released_after(&self, conn, |conn| guarded::transaction(conn, f))
    }

    fn try_hold<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<Option<R>, E>
    where
        Conn: AdvisoryConnection<M>,
        E: From<LockError> + From<DieselError>,
    {
        if transaction_depth(conn)?.is_some() {
            return guarded::transaction(conn, |conn| match take(&self, Span::Transaction, conn, false)? {
                Taken::Yes => f(conn).map(Some),
                Taken::No => Ok(None),
            });
        }
        match take(&self, Span::Session, conn, false)? {
            Taken::Yes => released_after(&self, conn, |conn| guarded::transaction(conn, f)).map(Some),
            Taken::No => Ok(None),
        }
    }

    fn hold_session<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
    where
        Conn: AdvisoryConnection<M>,
        E: From<LockError> + From<DieselError>,
    {
        let nested = transaction_depth(conn)?.is_some();
        take(&self, Span::Session, conn, true)?;
        released_after(&self, conn, |conn| if nested { guarded::transaction(conn, f) } else { f(conn) })
    }

    fn acquire<Conn>(self, conn: &mut Conn) -> Result<AdvisoryGuard<'_, Conn>>
    where
        Conn: AdvisoryConnection<M>,
    {
        take(&self, Span::Session, conn, true)?;
        Ok(AdvisoryGuard::new::<M>(conn, self.name().clone()))
    }

    fn try_acquire<Conn>(self, conn: &mut Conn) -> Result<Option<AdvisoryGuard<'_, Conn>>>
    where
        Conn: AdvisoryConnection<M>,
    {
        Ok(match take(&self, Span::Session, conn, false)? {
            Taken::Yes => Some(AdvisoryGuard::new::<M>(conn, self.name().clone())),
            Taken::No => None,
        })
    }

    fn acquire_for_transaction<Conn>(self, conn: &mut Conn) -> Result<()>
    where
        Conn: AdvisoryConnection<M>,
    {
        take(&self, Span::Transaction, conn, true).map(drop)
    }

    fn try_acquire_for_transaction<Conn>(self, conn: &mut Conn) -> Result<bool>
    where
        Conn: AdvisoryConnection<M>,
    {
        Ok(take(&self, Span::Transaction, conn, false)? == Taken::Yes)
    }

    fn is_held<Conn>(&self, conn: &mut Conn) -> Result<bool>
    where
        Conn: AdvisoryConnection<M>,
    {
        advisory_locks::is_held::<M, _>(self.name(), conn)
    }

    fn holders<Conn>(&self, conn: &mut Conn) -> Result<Vec<Holder>>
    where
        Conn: AdvisoryConnection<M>,
    {
        let mut holders = Vec::new();
        super::send::each_row(conn, Conn::Backend::advisory_holders(self.name().key()), |row| {
            holders.push(Conn::Backend::advisory_holder(row)?);
            Ok(())
        })?;
        Ok(holders)
    }
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
    advisory_locks::release(lock.name(), M::SHARED, conn);
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}
