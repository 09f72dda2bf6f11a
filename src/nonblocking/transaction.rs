//! Running a transaction, again if need be, over a connection of `diesel-async`.

use std::{error::Error, ops::ControlFlow};

use diesel::result::Error as DieselError;

use super::{
    closure::{AsyncClosure, ClosureFuture, RepeatableClosure},
    connection::LockConnection,
    driver::Nonblocking,
};
use crate::{
    core::{self, Attempts},
    error::LockError,
    transaction::{ClosureError, Concrete, LockTransaction},
};

/// Runs a [`LockTransaction`] over a connection of `diesel-async`.
///
/// `Kind` says how the closure's error is looked into, and is inferred from it, as in
/// [`RunLockTransaction`](crate::RunLockTransaction) for blocking connections.
pub trait RunLockTransaction<Kind = Concrete> {
    /// Opens a transaction, runs the closure in it and commits; runs it again if it lost against another transaction. Sleeps on the
    /// runtime between tries.
    ///
    /// The closure is an `async |conn| { .. }`. It is cloned for each try, so what it captures must be `Clone`: capture by reference, or
    /// share by `Arc`.
    ///
    /// # Errors
    ///
    /// Those of [`RunLockTransaction::run`](crate::RunLockTransaction::run).
    ///
    /// # Panics
    ///
    /// If the closure does: the transaction is rolled back first.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the connection is marked as broken: this crate and Diesel's `transaction` refuse it, and
    /// a pool does not hand it out again. The session is told to end, and the transaction is rolled back ([module](super#cancel-safety)).
    /// If the `COMMIT` was under way, the work may be committed.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # include!("../doctest_setup_async.rs");
    /// # fn main() {}
    /// # async fn doc(conn: &mut AsyncPgConnection) -> Result<(), LockError> {
    /// let amount = 30;
    /// LockTransaction::new()
    ///     .run(conn, async |conn| {
    ///         let locked = LockSet::new().ids::<Account>([1, 2]).lock(conn).await?;
    ///         let (from, to) = (locked.id::<Account>(1)?, locked.id::<Account>(2)?);
    ///         diesel::update(accounts::table.find(from.id))
    ///             .set(accounts::balance.eq(from.balance - amount))
    ///             .execute(conn)
    ///             .await?;
    ///         diesel::update(accounts::table.find(to.id))
    ///             .set(accounts::balance.eq(to.balance + amount))
    ///             .execute(conn)
    ///             .await?;
    ///         Ok::<_, LockError>(())
    ///     })
    ///     .await
    /// # }
    /// ```
    fn run<'a, 'c, Conn, R, E, F>(self, conn: &'c mut Conn, f: F) -> ClosureFuture<'c, Result<R, E>>
    where
        'a: 'c,
        Self: 'c,
        Conn: LockConnection,
        R: Send + 'a,
        E: ClosureError<Kind> + From<LockError> + From<DieselError> + Send + 'a,
        for<'r> F: AsyncFnOnce(&'r mut Conn) -> Result<R, E>
            + AsyncClosure<&'r mut Conn, Result<R, E>, Future: Send>
            + RepeatableClosure
            + Send
            + 'a;
}

impl<Kind, Hook, When> RunLockTransaction<Kind> for LockTransaction<Hook, When>
where
    Hook: FnMut(&(dyn Error + 'static), u32) + Send,
    When: FnMut(&(dyn Error + 'static)) -> bool + Send,
{
    fn run<'a, 'c, Conn, R, E, F>(self, conn: &'c mut Conn, f: F) -> ClosureFuture<'c, Result<R, E>>
    where
        'a: 'c,
        Self: 'c,
        Conn: LockConnection,
        R: Send + 'a,
        E: ClosureError<Kind> + From<LockError> + From<DieselError> + Send + 'a,
        for<'r> F: AsyncFnOnce(&'r mut Conn) -> Result<R, E>
            + AsyncClosure<&'r mut Conn, Result<R, E>, Future: Send>
            + RepeatableClosure
            + Send
            + 'a,
    {
        Box::pin(async move {
            let mut driver = Nonblocking::new(conn);
            let ended = core::catch(async {
                let (mut attempts, f) = (Attempts::new(&mut driver, self)?, f);
                loop {
                    let outcome = match attempts.begin::<_, E>(&mut driver).await {
                        Ok(begun) => driver.in_transaction(begun, f.clone()).await,
                        Err(error) => Err(error),
                    };
                    if let ControlFlow::Break(ended) = attempts.ended(&mut driver, outcome).await {
                        return ended;
                    }
                }
            })
            .await;
            driver.done(ended)
        })
    }
}
