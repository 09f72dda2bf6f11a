//! Cancelling on the server what a dropped future has left there.

use std::future::Future;

use tokio::runtime::Handle;

/// Cancels the statement of a call on the server if the call's future is dropped.
///
/// There is nothing to implement: every future has it. [`cancel_on_drop`](Self::cancel_on_drop) has an example.
pub trait CancelOnDrop: Future + Sized {
    /// Runs this call. If its future is dropped before it is ready, `cancel` is spawned on the runtime.
    ///
    /// A session that waits for a lock does not notice that its connection was closed: it stays in the queue, and gets the lock before
    /// it ends. Where futures are dropped often, by `tokio::time::timeout` or `select!`, cancel the wait. The connection is marked as
    /// broken first and never used again, so the request cannot meet another statement of this application. A pooler between hands the
    /// request on to the session that the connection had last, which may be another client's by then: do not use this over one that
    /// shares sessions.
    ///
    /// A limited wait is better: `timeout` of a lock set or of an [`AdvisoryLock`](crate::AdvisoryLock) ends it on the server, in the
    /// same connection, and leaves the connection whole.
    ///
    /// `cancel` is what the driver offers. It is dropped if the call is ready first, and if the future was never polled.
    /// - PostgreSQL: `AsyncPgConnection::cancel_token`, [a request over a connection of its own][pg], encrypted as the application says
    /// - MySQL, MariaDB: `AsyncMysqlConnection::cancel_token`, which connects and sends [`KILL QUERY`][my]
    ///
    /// Both must be asked for before the call borrows the connection. Out of a pool, the token is that of the connection inside.
    ///
    /// # Panics
    ///
    /// Never. Outside of a tokio runtime nothing can be spawned: then nothing is sent when the future is dropped.
    ///
    /// # Cancel safety
    ///
    /// As the call's own. The spawned request is not awaited by anybody.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # include!("../doctest_setup_async.rs");
    /// # fn main() {}
    /// use std::time::Duration;
    ///
    /// use diesel_lockset::nonblocking::prelude::*;
    /// use tokio_postgres::NoTls;
    ///
    /// # async fn doc(conn: &mut AsyncPgConnection) -> Result<(), Box<dyn std::error::Error>> {
    /// let token = conn.cancel_token();
    /// let pay = LockTransaction::new().run(conn, async |conn| {
    ///     let locked = LockSet::new().ids::<Account>([1, 2]).lock(conn).await?;
    ///     // ..
    ///     Ok::<_, LockError>(())
    /// });
    /// let pay = pay.cancel_on_drop(async move {
    ///     let _ = token.cancel_query(NoTls).await;
    /// });
    /// tokio::time::timeout(Duration::from_secs(2), pay).await??;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [pg]: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
    /// [my]: https://dev.mysql.com/doc/refman/9.7/en/kill.html
    fn cancel_on_drop<C>(self, cancel: C) -> impl Future<Output = Self::Output> + Send
    where
        Self: Send,
        C: Future<Output = ()> + Send + 'static;
}

impl<F: Future> CancelOnDrop for F {
    async fn cancel_on_drop<C>(self, cancel: C) -> F::Output
    where
        Self: Send,
        C: Future<Output = ()> + Send + 'static,
    {
        let mut request = Request(Some(cancel));
        // Dropped together, the call goes first: its connection is marked as broken by then.
        let output = self.await;
        request.0 = None;
        output
    }
}

/// Sends the request when it is dropped, unless it was taken out.
struct Request<C: Future<Output = ()> + Send + 'static>(Option<C>);

impl<C: Future<Output = ()> + Send + 'static> Drop for Request<C> {
    fn drop(&mut self) {
        if let (Some(cancel), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(cancel);
        }
    }
}
