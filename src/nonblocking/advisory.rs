//! The calls that take and release advisory locks over a connection of `diesel-async`.

use std::future::Future;

use diesel::result::Error as DieselError;

use super::{
    advisory_guard::{AdvisoryGuard, OwnedAdvisoryGuard},
    closure::{AsyncClosure, ClosureFuture},
    connection::LockConnection,
};
use crate::{
    backend::SupportsAdvisory,
    error::{Holder, LockError, Result},
    markers::Transactional,
};

pub(super) type Outcome<R, E> = std::result::Result<R, E>;

/// A connection of `diesel-async` to a backend with advisory locks of the kind `K`. A bound of its own, so that the compiler does not name
/// the traits of `diesel-async` that a blocking connection lacks.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no connection of `diesel-async` with advisory locks that are `{K}`",
    note = "over a blocking connection use `diesel_lockset::RunAdvisoryLock`, or a method that is not `async`",
    note = "advisory locks exist on PostgreSQL, MySQL and MariaDB; those that are shared, and those that end with the transaction, exist on \
            PostgreSQL only"
)]
pub trait AdvisoryConnection<K>: LockConnection<Backend: SupportsAdvisory<K>> {}

impl<K, Conn: LockConnection<Backend: SupportsAdvisory<K>>> AdvisoryConnection<K> for Conn {}

/// Takes an [`AdvisoryLock`](crate::AdvisoryLock) over a connection of `diesel-async`.
///
/// The promise of each method, the life of its lock and its SQL are as in the blocking
/// [`RunAdvisoryLock`](crate::RunAdvisoryLock).
///
/// # Cancel safety
///
/// If the future of a method is dropped before it is ready, the server may have taken the lock. So the connection is marked as broken: this
/// crate and Diesel's `transaction` refuse it, and a pool does not hand it out again. The session is told to end, and the lock ends with it
/// ([module](super#cancel-safety)).
pub trait RunAdvisoryLock<M>: Sized {
    /// Waits for the lock and holds it around a transaction of the closure. As
    /// [`RunAdvisoryLock::hold`](crate::RunAdvisoryLock::hold).
    ///
    /// # Errors
    ///
    /// Those of the blocking call.
    ///
    /// # Panics
    ///
    /// If the closure does: the transaction is rolled back and the lock released first.
    ///
    /// # Cancel safety
    ///
    /// As of the [trait](Self#cancel-safety).
    ///
    /// # Example
    ///
    /// ```no_run
    /// # include!("../doctest_setup_async.rs");
    /// # fn main() {}
    /// # async fn doc(conn: &mut AsyncPgConnection, account: Account) -> Result<(), LockError> {
    /// AdvisoryLock::on(&account)
    ///     .hold(conn, async |conn| {
    ///         diesel::update(accounts::table.find(account.id))
    ///             .set(accounts::balance.eq(0))
    ///             .execute(conn)
    ///             .await?;
    ///         Ok::<_, LockError>(())
    ///     })
    ///     .await
    /// # }
    /// ```
    fn hold<'a, 'c, Conn, R, E, F>(self, conn: &'c mut Conn, f: F) -> ClosureFuture<'c, Outcome<R, E>>
    where
        'a: 'c,
        Self: 'c,
        Conn: AdvisoryConnection<M>,
        R: Send + 'a,
        E: From<LockError> + From<DieselError> + Send + 'a,
        for<'r> F: AsyncFnOnce(&'r mut Conn) -> Outcome<R, E>
            + AsyncClosure<&'r mut Conn, Outcome<R, E>, Future: Send>
            + Send
            + 'a;

    /// Runs the closure if the lock is free, or becomes free within the lock's timeout. As
    /// [`RunAdvisoryLock::try_hold`](crate::RunAdvisoryLock::try_hold).
    ///
    /// # Errors
    ///
    /// Those of the blocking call.
    ///
    /// # Panics
    ///
    /// As [`hold`](Self::hold).
    ///
    /// # Cancel safety
    ///
    /// As of the [trait](Self#cancel-safety).
    fn try_hold<'a, 'c, Conn, R, E, F>(self, conn: &'c mut Conn, f: F) -> ClosureFuture<'c, Outcome<Option<R>, E>>
    where
        'a: 'c,
        Self: 'c,
        Conn: AdvisoryConnection<M>,
        R: Send + 'a,
        E: From<LockError> + From<DieselError> + Send + 'a,
        for<'r> F: AsyncFnOnce(&'r mut Conn) -> Outcome<R, E>
            + AsyncClosure<&'r mut Conn, Outcome<R, E>, Future: Send>
            + Send
            + 'a;

    /// Holds the lock while the closure runs, without a transaction. As
    /// [`RunAdvisoryLock::hold_session`](crate::RunAdvisoryLock::hold_session).
    ///
    /// # Errors
    ///
    /// Those of the blocking call.
    ///
    /// # Panics
    ///
    /// As [`hold`](Self::hold).
    ///
    /// # Cancel safety
    ///
    /// As of the [trait](Self#cancel-safety).
    fn hold_session<'a, 'c, Conn, R, E, F>(self, conn: &'c mut Conn, f: F) -> ClosureFuture<'c, Outcome<R, E>>
    where
        'a: 'c,
        Self: 'c,
        Conn: AdvisoryConnection<M>,
        R: Send + 'a,
        E: From<LockError> + From<DieselError> + Send + 'a,
        for<'r> F: AsyncFnOnce(&'r mut Conn) -> Outcome<R, E>
            + AsyncClosure<&'r mut Conn, Outcome<R, E>, Future: Send>
            + Send
            + 'a;

    /// Waits for the lock and returns a guard that borrows the connection. Release it with
    /// [`AdvisoryGuard::release`]: a guard that is dropped cannot wait for an answer, and marks the connection as broken.
    ///
    /// # Errors
    ///
    /// Those of [`RunAdvisoryLock::acquire`](crate::RunAdvisoryLock::acquire).
    ///
    /// # Cancel safety
    ///
    /// As of the [trait](Self#cancel-safety).
    ///
    /// # Example
    ///
    /// ```no_run
    /// # include!("../doctest_setup_async.rs");
    /// # fn main() {}
    /// # async fn doc(conn: &mut AsyncPgConnection) -> Result<(), LockError> {
    /// let mut guard = AdvisoryLock::named("import").acquire(conn).await?;
    /// diesel::delete(orders::table).execute(&mut *guard).await?;
    /// guard.release().await;
    /// # Ok(()) }
    /// ```
    fn acquire<Conn>(self, conn: &mut Conn) -> impl Future<Output = Result<AdvisoryGuard<'_, Conn>>> + Send
    where
        Conn: AdvisoryConnection<M>;

    /// Returns a guard if the lock is free, or becomes free within the lock's timeout.
    ///
    /// # Errors
    ///
    /// Those of [`RunAdvisoryLock::try_acquire`](crate::RunAdvisoryLock::try_acquire).
    ///
    /// # Cancel safety
    ///
    /// As of the [trait](Self#cancel-safety).
    fn try_acquire<Conn>(self, conn: &mut Conn) -> impl Future<Output = Result<Option<AdvisoryGuard<'_, Conn>>>> + Send
    where
        Conn: AdvisoryConnection<M>;

    /// Waits for the lock and returns a guard that owns the connection, such as one out of a pool.
    ///
    /// # Errors
    ///
    /// Those of [`RunAdvisoryLock::acquire`](crate::RunAdvisoryLock::acquire). The connection is dropped then, which puts it back into its
    /// pool.
    ///
    /// # Cancel safety
    ///
    /// As of the [trait](Self#cancel-safety).
    fn acquire_owned<Conn>(self, conn: Conn) -> impl Future<Output = Result<OwnedAdvisoryGuard<Conn>>> + Send
    where
        Conn: AdvisoryConnection<M>;

    /// Like [`acquire_owned`](Self::acquire_owned), if the lock is free, at once or within the timeout; else `None`. As
    /// [`RunAdvisoryLock::try_acquire_owned`](crate::RunAdvisoryLock::try_acquire_owned).
    ///
    /// # Errors
    ///
    /// Those of the blocking call.
    ///
    /// # Cancel safety
    ///
    /// As of the [trait](Self#cancel-safety).
    fn try_acquire_owned<Conn>(
        self,
        conn: Conn,
    ) -> impl Future<Output = Result<Option<OwnedAdvisoryGuard<Conn>>>> + Send
    where
        Conn: AdvisoryConnection<M>;

    /// Takes the lock until the open transaction ends. As
    /// [`RunAdvisoryLock::acquire_for_transaction`](crate::RunAdvisoryLock::acquire_for_transaction).
    ///
    /// # Errors
    ///
    /// Those of the blocking call.
    ///
    /// # Cancel safety
    ///
    /// As of the [trait](Self#cancel-safety).
    fn acquire_for_transaction<Conn>(self, conn: &mut Conn) -> impl Future<Output = Result<()>> + Send
    where
        Conn: AdvisoryConnection<M> + AdvisoryConnection<Transactional>;

    /// Takes the lock until the open transaction ends, if it is free or becomes free within the lock's timeout.
    ///
    /// # Errors
    ///
    /// Those of [`RunAdvisoryLock::try_acquire_for_transaction`](crate::RunAdvisoryLock::try_acquire_for_transaction).
    ///
    /// # Cancel safety
    ///
    /// As of the [trait](Self#cancel-safety).
    fn try_acquire_for_transaction<Conn>(self, conn: &mut Conn) -> impl Future<Output = Result<bool>> + Send
    where
        Conn: AdvisoryConnection<M> + AdvisoryConnection<Transactional>;

    /// Returns whether any session holds the lock. As [`RunAdvisoryLock::is_held`](crate::RunAdvisoryLock::is_held).
    ///
    /// # Errors
    ///
    /// Those of the blocking call.
    ///
    /// # Cancel safety
    ///
    /// As of the [trait](Self#cancel-safety).
    fn is_held<Conn>(&self, conn: &mut Conn) -> impl Future<Output = Result<bool>> + Send
    where
        Conn: AdvisoryConnection<M>;

    /// Returns the sessions that hold the lock. As [`RunAdvisoryLock::holders`](crate::RunAdvisoryLock::holders).
    ///
    /// # Errors
    ///
    /// Those of the blocking call.
    ///
    /// # Cancel safety
    ///
    /// As of the [trait](Self#cancel-safety).
    fn holders<Conn>(&self, conn: &mut Conn) -> impl Future<Output = Result<Vec<Holder>>> + Send
    where
        Conn: AdvisoryConnection<M>;
}
