//! Locks a set, or one row, over a connection of `diesel-async`.

use std::future::Future;

use diesel::result::Error as DieselError;

use super::{
    catch::catch,
    closure::{AsyncRowClosure, ClosureFuture},
    connection::LockConnection,
    driver::Nonblocking,
};
use crate::{
    backend::LockingBackend,
    core,
    error::{LockError, Result},
    key::IntoKey,
    lock_set::{LockSet, Locked},
    lockable::Lockable,
    sql::LockTarget,
};

/// Locks a [`LockSet`], or a single row with a wait policy, over a connection of `diesel-async`.
pub trait RunLockSet<DB: LockingBackend>: Sized {
    /// The locked rows, as of the blocking [`RunLockSet`](crate::RunLockSet::Output).
    type Output;

    /// Locks the rows of the set in the open transaction and returns them as they are under the lock.
    ///
    /// When it waits, how long the locks live and which SQL is sent is as for the blocking
    /// [`RunLockSet::lock`](crate::RunLockSet::lock).
    ///
    /// # Errors
    ///
    /// Those of the blocking call, and the state of the transaction after each is the same.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the server goes on with the statement that was under way, and may wait for a row and
    /// lock it. So the connection is marked as broken: this crate and Diesel's `transaction` refuse it, and a pool does not hand it out
    /// again. The session is told to end behind that statement, and the locks end with it ([module](super#cancel-safety)). To wait for a
    /// limited time, use [`LockSet::timeout`] instead.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # include!("../doctest_setup_async.rs");
    /// # fn main() {}
    /// # async fn doc(conn: &mut AsyncPgConnection, order: Order) -> Result<(), LockError> {
    /// LockTransaction::new()
    ///     .run(conn, async |conn| {
    ///         let locked = LockSet::new()
    ///             .row(&order)
    ///             .ids::<Account>([2, 1])
    ///             .lock(conn)
    ///             .await?;
    ///         assert_eq!(locked.rows::<Account>().len(), 2);
    ///         Ok::<_, LockError>(())
    ///     })
    ///     .await
    /// # }
    /// ```
    fn lock<Conn>(self, conn: &mut Conn) -> impl Future<Output = Result<Self::Output>> + Send
    where
        Conn: LockConnection<Backend = DB>;
}

impl<DB: LockingBackend, W: Send> RunLockSet<DB> for LockSet<'_, DB, W> {
    type Output = Locked;

    async fn lock<Conn>(self, conn: &mut Conn) -> Result<Locked>
    where
        Conn: LockConnection<Backend = DB>,
    {
        let mut driver = Nonblocking::new(conn);
        let locked = catch(core::lock(&mut driver, self)).await;
        driver.done(locked)
    }
}

/// Locks a single row over a connection of `diesel-async`. The examples are at the methods.
pub trait LockDsl: Lockable {
    /// Locks the row of this instance and returns it as it is under the lock. As the blocking [`LockDsl::lock`](crate::LockDsl::lock).
    ///
    /// # Errors
    ///
    /// Those of the blocking call.
    ///
    /// # Cancel safety
    ///
    /// As [`RunLockSet::lock`]: dropped before it is ready, it leaves the connection marked as broken.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # include!("../doctest_setup_async.rs");
    /// # fn main() {}
    /// # async fn doc(conn: &mut AsyncPgConnection, account: Account) -> Result<(), LockError> {
    /// let fresh: Account = account.lock(conn).await?;
    /// # Ok(()) }
    /// ```
    fn lock<Conn>(&self, conn: &mut Conn) -> impl Future<Output = Result<Self>> + Send
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>;

    /// Locks the row with this key and returns it. As the blocking [`LockDsl::lock_by_id`](crate::LockDsl::lock_by_id).
    ///
    /// # Errors
    ///
    /// Those of the blocking call.
    ///
    /// # Cancel safety
    ///
    /// As [`RunLockSet::lock`].
    fn lock_by_id<Conn>(id: impl IntoKey<Self::Key>, conn: &mut Conn) -> impl Future<Output = Result<Self>> + Send
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>;

    /// Runs a closure in a transaction that has locked the row of this instance. As the blocking
    /// [`LockDsl::with_lock`](crate::LockDsl::with_lock).
    ///
    /// # Errors
    ///
    /// Those of the blocking call.
    ///
    /// # Panics
    ///
    /// If the closure does: the transaction is rolled back first.
    ///
    /// # Cancel safety
    ///
    /// As [`RunLockTransaction::run`](super::RunLockTransaction::run).
    ///
    /// # Example
    ///
    /// ```no_run
    /// # include!("../doctest_setup_async.rs");
    /// # fn main() {}
    /// # async fn doc(conn: &mut AsyncPgConnection, account: Account) -> Result<(), LockError> {
    /// account
    ///     .with_lock(conn, async |fresh, conn| {
    ///         diesel::update(accounts::table.find(fresh.id))
    ///             .set(accounts::balance.eq(fresh.balance + 1))
    ///             .execute(conn)
    ///             .await?;
    ///         Ok::<_, LockError>(())
    ///     })
    ///     .await
    /// # }
    /// ```
    fn with_lock<'a, 'c, Conn, R, E, F>(
        &self,
        conn: &'c mut Conn,
        f: F,
    ) -> ClosureFuture<'c, std::result::Result<R, E>>
    where
        'a: 'c,
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>,
        R: Send + 'a,
        E: From<LockError> + From<DieselError> + Send + 'a,
        for<'r> F: AsyncFnOnce(Self, &'r mut Conn) -> std::result::Result<R, E>
            + AsyncRowClosure<Self, &'r mut Conn, std::result::Result<R, E>, Future: Send>
            + Send
            + 'a;
}

impl<T: Lockable> LockDsl for T {
    fn lock<Conn>(&self, conn: &mut Conn) -> impl Future<Output = Result<Self>> + Send
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>,
    {
        Self::lock_by_id(self.lock_key(), conn)
    }

    fn lock_by_id<Conn>(id: impl IntoKey<Self::Key>, conn: &mut Conn) -> impl Future<Output = Result<Self>> + Send
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>,
    {
        let set = LockSet::new().id::<T>(id);
        // Taken without a lookup by the key: the server found the row by it, and its own key may differ from it in Rust.
        async move { RunLockSet::lock(set, conn).await?.take_only::<T>() }
    }

    fn with_lock<'a, 'c, Conn, R, E, F>(&self, conn: &'c mut Conn, f: F) -> ClosureFuture<'c, std::result::Result<R, E>>
    where
        'a: 'c,
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>,
        R: Send + 'a,
        E: From<LockError> + From<DieselError> + Send + 'a,
        for<'r> F: AsyncFnOnce(Self, &'r mut Conn) -> std::result::Result<R, E>
            + AsyncRowClosure<Self, &'r mut Conn, std::result::Result<R, E>, Future: Send>
            + Send
            + 'a,
    {
        let set = LockSet::new().id::<T>(self.lock_key());
        Box::pin(async move {
            let mut driver = Nonblocking::new(conn);
            let ended = core::catch(async {
                let begun = core::begin::<_, E>(&mut driver, None).await?;
                let locked = catch(core::lock(&mut driver, set)).await;
                let outcome = match locked.map(|locked| locked?.take_only::<T>()) {
                    Ok(Ok(row)) => catch(f(row, driver.conn())).await,
                    Ok(Err(error)) => Ok(Err(error.into())),
                    Err(panic) => Err(panic),
                };
                core::end(&mut driver, begun, outcome).await
            })
            .await;
            driver.done(ended)
        })
    }
}
