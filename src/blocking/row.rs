//! Locking one row with limited wait_policy over a blocking connection.

use super::{connection::LockConnection, set::RunLockSet};
use crate::{
    backend::LockingBackend,
    error::Result,
    lock_set::{LockSet, RowRequest},
    lockable::Lockable,
    sql::{LockTarget, NoWait, SkipLocked, Timeout},
};

/// Locks a [`RowRequest`] over a blocking connection.
pub trait RunRowRequest<T> {
    /// The row, or for `skip_locked` perhaps none.
    type Row;

    /// Locks the row and returns it as it is now; `skip_locked` returns `None` if somebody else holds it.
    ///
    /// # Errors
    ///
    /// As [`RunLockSet::lock`]: a row that is gone is [`LockError::Missing`](crate::LockError::Missing) also when it is not waited for; a row that is
    /// held is [`LockError::Contended`](crate::LockError::Contended) after `no_wait` and [`LockError::TimedOut`](crate::LockError::TimedOut) after `timeout`.
    fn lock<Conn>(self, conn: &mut Conn) -> Result<Self::Row>
    where
        Conn: LockConnection,
        T: LockTarget<Conn::Backend>;
}

macro_rules! whole_rows {
    ($($word:ident),*) => {$(
        impl<T: Lockable> RunRowRequest<T> for RowRequest<T, $word> {
            type Row = T;

            fn lock<Conn>(self, conn: &mut Conn) -> Result<T>
            where
                Conn: LockConnection,
                T: LockTarget<Conn::Backend>,
            {
                set(self).lock(conn)?.take_only::<T>()
            }
        }
    )*};
}

whole_rows!(NoWait, Timeout);

impl<T: Lockable> RunRowRequest<T> for RowRequest<T, SkipLocked> {
    type Row = Option<T>;

    fn lock<Conn>(self, conn: &mut Conn) -> Result<Option<T>>
    where
        Conn: LockConnection,
        T: LockTarget<Conn::Backend>,
    {
        Ok(set(self).lock(conn)?.take_rows::<T>().pop())
    }
}

fn set<T, DB, W>(row: RowRequest<T, W>) -> LockSet<'static, DB, W>
where
    DB: LockingBackend,
    T: LockTarget<DB>,
{
    LockSet::of_row::<T>(row)
}
