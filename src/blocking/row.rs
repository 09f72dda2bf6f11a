//! Locks one row with a wait policy over a blocking connection.

use super::{connection::LockConnection, set::RunLockSet};
use crate::{
    backend::{HasLockingClauses, LockingBackend},
    error::Result,
    lock_set::LockSet,
    lockable::RowRequest,
    markers::{Blocking, NoWait, SkipLocked, Timeout},
    mode::WaitPolicy,
    sql::LockTarget,
};

macro_rules! whole_rows {
    ($($policy:ident),*) => {$(
        impl<T: LockTarget<DB>, DB: LockingBackend> RunLockSet<DB> for RowRequest<T, $policy> {
            type Output = T;

            fn lock<Conn>(self, conn: &mut Conn) -> Result<T>
            where
                Conn: LockConnection<Backend = DB>,
            {
                LockSet::of_row::<T>(self).lock(conn)?.take_only::<T>()
            }
        }
    )*};
}

whole_rows!(Blocking, NoWait, Timeout);

macro_rules! rows_or_none {
    ($($policy:ident),*) => {$(
        impl<T: LockTarget<DB>, DB: HasLockingClauses> RunLockSet<DB> for RowRequest<T, $policy> {
            type Output = Option<T>;

            fn lock<Conn>(self, conn: &mut Conn) -> Result<Option<T>>
            where
                Conn: LockConnection<Backend = DB>,
            {
                Ok(LockSet::of_row::<T>(self).lock(conn)?.take_rows::<T>().pop())
            }
        }
    )*};
}

rows_or_none!(SkipLocked, WaitPolicy);
