//! A held advisory lock as a value.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{
    connection::LockConnection,
    driver::{Blocking, now},
};
use crate::{
    advisory::{AdvisoryMode, AdvisoryName},
    backend::HasAdvisoryLocks,
    core,
};

/// Holds an advisory lock of the session, and the connection that it is held over, until it is dropped.
///
/// Made by [`acquire`](crate::RunAdvisoryLock::acquire). Use it as the connection: `&mut *guard`.
///
/// # When it cannot release
///
/// If the connection is lost, the server has released the lock; dropping the guard does nothing then and does not panic. If
/// the guard was taken inside of a transaction that is aborted when it is dropped, PostgreSQL takes no statement, and a
/// rollback would not release the lock: the session is ended, and with it the transaction and the lock. Whatever is sent over the
/// connection after that fails, and a pool throws it away. That cannot happen to a transaction that is begun through the guard, nor
/// to [`hold`](crate::RunAdvisoryLock::hold).
///
/// MySQL and MariaDB release in any transaction. There, a lock that is not found any more may be held under the name of a
/// database that the session has left: the connection is marked as broken, too. It is also if somebody has released all locks
/// of the session by hand.
///
/// So it is if the driver panics, as `AsyncConnectionWrapper` does where an asynchronous runtime does not let it block. Dropping the
/// guard does not pass the panic on.
///
/// `std::mem::forget` keeps the lock until the session ends.
#[must_use = "dropping the guard releases the lock at once"]
pub struct AdvisoryGuard<'c, Conn: LockConnection<Backend: HasAdvisoryLocks>> {
    conn: &'c mut Conn,
    name: AdvisoryName,
    shared: bool,
    released: bool,
}

impl<'c, Conn: LockConnection<Backend: HasAdvisoryLocks>> AdvisoryGuard<'c, Conn> {
    pub(super) fn new<M: AdvisoryMode>(conn: &'c mut Conn, name: AdvisoryName) -> Self {
        AdvisoryGuard { conn, name, shared: M::SHARED, released: false }
    }

    /// What is locked.
    pub fn name(&self) -> &AdvisoryName {
        &self.name
    }

    /// Releases the lock; whether it was still held. It was not if the connection was lost, or if somebody released all
    /// locks of the session.
    pub fn release(mut self) -> bool {
        self.released = true;
        now(core::release(&self.name, self.shared, &mut Blocking(self.conn)))
    }
}

impl<Conn: LockConnection<Backend: HasAdvisoryLocks>> Drop for AdvisoryGuard<'_, Conn> {
    fn drop(&mut self) {
        if !self.released {
            // A panic here could meet another one and end the process. The connection is broken then, which says enough.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                now(core::release(&self.name, self.shared, &mut Blocking(self.conn)))
            }));
        }
    }
}

impl<Conn: LockConnection<Backend: HasAdvisoryLocks>> Deref for AdvisoryGuard<'_, Conn> {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        self.conn
    }
}

impl<Conn: LockConnection<Backend: HasAdvisoryLocks>> DerefMut for AdvisoryGuard<'_, Conn> {
    fn deref_mut(&mut self) -> &mut Conn {
        self.conn
    }
}

impl<Conn: LockConnection<Backend: HasAdvisoryLocks>> fmt::Debug for AdvisoryGuard<'_, Conn> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdvisoryGuard").field("name", &self.name).field("shared", &self.shared).finish_non_exhaustive()
    }
}
