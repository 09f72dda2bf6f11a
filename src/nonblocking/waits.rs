//! Asks who waits for whom, over a connection of `diesel-async`.

use std::future::Future;

use super::{catch::catch, connection::LockConnection, driver::Nonblocking};
use crate::{backend::HasLockWaits, core, error::Result, waits::LockWaits};

/// Asks the server who waits for whom, over a connection of `diesel-async`.
pub trait RunLockWaits: Sized {
    /// Asks the server which sessions wait for locks, and which sessions hold them. As the blocking
    /// [`RunLockWaits::snapshot`](crate::RunLockWaits::snapshot).
    ///
    /// # Errors
    ///
    /// Those of the blocking call.
    ///
    /// # Cancel safety
    ///
    /// As [`RunLockSet::lock`](super::RunLockSet::lock): dropped before it is ready, it leaves the connection marked as broken.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # include!("../doctest_setup_async.rs");
    /// # fn main() {}
    /// # async fn doc(conn: &mut AsyncPgConnection) -> Result<(), LockError> {
    /// println!("{}", LockWaits::snapshot(conn).await?);
    /// # Ok(()) }
    /// ```
    fn snapshot<Conn>(conn: &mut Conn) -> impl Future<Output = Result<Self>> + Send
    where
        Conn: LockConnection<Backend: HasLockWaits>;
}

impl RunLockWaits for LockWaits {
    async fn snapshot<Conn>(conn: &mut Conn) -> Result<Self>
    where
        Conn: LockConnection<Backend: HasLockWaits>,
    {
        let mut driver = Nonblocking::new(conn);
        let waits = catch(core::snapshot(&mut driver)).await;
        driver.done(waits)
    }
}
