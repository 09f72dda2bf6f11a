//! Locks one row with a wait policy over a connection of `diesel-async`.

use std::future::Future;

use super::{connection::LockConnection, set::RunLockSet};
use crate::{
    backend::{HasSkipLocked, LockingBackend},
    error::Result,
    lock_set::{LockSet, RowRequest},
    lockable::Lockable,
    mode::WaitPolicy,
    sql::{LockTarget, NoWait, SkipLocked, Timeout},
};

/// Locks the row of a [`RowRequest`] over a connection of `diesel-async`.
pub trait RunRowRequest<T, DB: LockingBackend> {
    /// The row, or an option of it if a row that somebody holds is skipped.
    type Row;

    /// Locks the row. As the blocking [`RunRowRequest::lock`](crate::RunRowRequest::lock).
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
    /// let free: Option<Account> = account.skip_locked().lock(conn).await?;
    /// # Ok(()) }
    /// ```
    fn lock<Conn>(self, conn: &mut Conn) -> impl Future<Output = Result<Self::Row>> + Send
    where
        Conn: LockConnection<Backend = DB>,
        T: LockTarget<DB>;
}

macro_rules! whole_rows {
    ($($policy:ident),*) => {$(
        impl<T: Lockable, DB: LockingBackend> RunRowRequest<T, DB> for RowRequest<T, $policy> {
            type Row = T;

            fn lock<Conn>(self, conn: &mut Conn) -> impl Future<Output = Result<T>> + Send
            where
                Conn: LockConnection<Backend = DB>,
                T: LockTarget<DB>,
            {
                let set = LockSet::of_row::<T>(self);
                async move { set.lock(conn).await?.take_only::<T>() }
            }
        }
    )*};
}

whole_rows!(NoWait, Timeout);

macro_rules! rows_or_none {
    ($($policy:ident),*) => {$(
        impl<T: Lockable, DB: HasSkipLocked> RunRowRequest<T, DB> for RowRequest<T, $policy> {
            type Row = Option<T>;

            fn lock<Conn>(self, conn: &mut Conn) -> impl Future<Output = Result<Option<T>>> + Send
            where
                Conn: LockConnection<Backend = DB>,
                T: LockTarget<DB>,
            {
                let set = LockSet::of_row::<T>(self);
                async move { Ok(set.lock(conn).await?.take_rows::<T>().pop()) }
            }
        }
    )*};
}

rows_or_none!(SkipLocked, WaitPolicy);
