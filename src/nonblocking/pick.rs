//! Takes the next free rows over a connection of `diesel-async`.

use std::future::Future;

use diesel::query_builder::{AsChangeset, AsQuery, QueryFragment};

use super::{catch::catch, connection::LockConnection, driver::Nonblocking};
use crate::{
    core,
    error::Result,
    lockable::Lockable,
    pick::{ClaimFrom, PickFrom},
};

/// Takes the next free rows of a query over a connection of `diesel-async`.
///
/// Everything that [`PickDsl`](crate::PickDsl) says of blocking connections holds: the SQL, which queries can be picked from, and the
/// difference between a picked and a claimed row.
pub trait PickDsl<Conn>: AsQuery + Sized {
    /// Locks and returns the first free row, or `None`. As the blocking [`PickDsl::pick_next`](crate::PickDsl::pick_next).
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
    /// let order: Option<Order> = orders::table
    ///     .filter(orders::status.eq("open"))
    ///     .order(orders::id)
    ///     .pick_next(conn)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    fn pick_next<T>(self, conn: &mut Conn) -> impl Future<Output = Result<Option<T>>> + Send
    where
        Conn: LockConnection,
        Self::Query: PickFrom<T, Conn::Backend, Picks: Send>,
        T: Send,
    {
        let picked = self.pick(1, conn);
        async move { Ok(picked.await?.pop()) }
    }

    /// Locks and returns the first `n` free rows. As the blocking [`PickDsl::pick`](crate::PickDsl::pick).
    ///
    /// # Errors
    ///
    /// Those of the blocking call.
    ///
    /// # Cancel safety
    ///
    /// As [`pick_next`](Self::pick_next).
    fn pick<T>(self, n: u32, conn: &mut Conn) -> impl Future<Output = Result<Vec<T>>> + Send
    where
        Conn: LockConnection,
        Self::Query: PickFrom<T, Conn::Backend, Picks: Send>,
        T: Send,
    {
        let picks = self.as_query().picks(n);
        async move {
            let mut driver = Nonblocking::new(conn);
            let picked = catch(core::pick(&mut driver, picks)).await;
            driver.done(picked)
        }
    }

    /// Changes the first `n` free rows and returns them as changed. As the blocking [`PickDsl::claim`](crate::PickDsl::claim).
    ///
    /// # Errors
    ///
    /// Those of the blocking call.
    ///
    /// # Cancel safety
    ///
    /// As [`pick_next`](Self::pick_next). Outside of a transaction the claim may be committed all the same: its rows come back when their
    /// lease has run out.
    fn claim<T, C>(self, n: u32, changes: C, conn: &mut Conn) -> impl Future<Output = Result<Vec<T>>> + Send
    where
        Conn: LockConnection,
        T: Lockable,
        C: AsChangeset<Target = T::Table, Changeset: QueryFragment<Conn::Backend>>,
        Self::Query: ClaimFrom<T, Conn::Backend, C::Changeset, Claims: Send>,
    {
        let claims = self.as_query().claims(n, changes.as_changeset());
        async move {
            let mut driver = Nonblocking::new(conn);
            let claimed = catch(core::claim(&mut driver, claims)).await;
            driver.done(claimed)
        }
    }
}

impl<Q: AsQuery, Conn> PickDsl<Conn> for Q {}
