//! Locks one row with a wait policy over a blocking connection.

use super::{connection::LockConnection, set::RunLockSet};
use crate::{
    backend::{HasSkipLocked, LockingBackend},
    error::Result,
    lock_set::{LockSet, RowRequest},
    lockable::Lockable,
    mode::WaitPolicy,
    sql::{LockTarget, NoWait, SkipLocked, Timeout},
};

/// Locks a [`RowRequest`] over a blocking connection.
pub trait RunRowRequest<T, DB: LockingBackend> {
    /// The result: the row, or an `Option` of it for `skip_locked`.
    type Row;

    /// Locks the row and returns it as it is now; after `skip_locked` it returns `None` if another session holds the row.
    ///
    /// # Errors
    ///
    /// Those of [`RunLockSet::lock`]. A row that does not exist is [`LockError::Missing`](crate::LockError::Missing) under every wait
    /// policy. A row that is held is [`LockError::Contended`](crate::LockError::Contended) after `no_wait` and
    /// [`LockError::TimedOut`](crate::LockError::TimedOut) after `timeout`.
    fn lock<Conn>(self, conn: &mut Conn) -> Result<Self::Row>
    where
        Conn: LockConnection<Backend = DB>,
        T: LockTarget<DB>;
}

macro_rules! whole_rows {
    ($($word:ident),*) => {$(
        impl<T: Lockable, DB: LockingBackend> RunRowRequest<T, DB> for RowRequest<T, $word> {
            type Row = T;

            fn lock<Conn>(self, conn: &mut Conn) -> Result<T>
            where
                Conn: LockConnection<Backend = DB>,
                T: LockTarget<DB>,
            {
                set(self).lock(conn)?.take_only::<T>()
            }
        }
    )*};
}

whole_rows!(NoWait, Timeout);

macro_rules! rows_or_none {
    ($($policy:ident),*) => {$(
        impl<T: Lockable, DB: HasSkipLocked> RunRowRequest<T, DB> for RowRequest<T, $policy> {
            type Row = Option<T>;

            fn lock<Conn>(self, conn: &mut Conn) -> Result<Option<T>>
            where
                Conn: LockConnection<Backend = DB>,
                T: LockTarget<DB>,
            {
                Ok(set(self).lock(conn)?.take_rows::<T>().pop())
            }
        }
    )*};
}

rows_or_none!(SkipLocked, WaitPolicy);

fn set<T, DB, W>(row: RowRequest<T, W>) -> LockSet<'static, DB, W>
where
    DB: LockingBackend,
    T: LockTarget<DB>,
{
    LockSet::of_row::<T>(row)
}
