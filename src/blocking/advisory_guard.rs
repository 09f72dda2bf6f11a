//! The guard of an advisory lock.

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
    backend::AdvisoryBackend,
    core,
};

/// A guard that holds an advisory lock of the session, and borrows its connection, until it is dropped.
///
/// [`acquire`](crate::RunAdvisoryLock::acquire) returns it. Use it as the connection: `&mut *guard`.
///
/// # When it cannot release
///
/// If the connection is lost, the server has released the lock; dropping the guard does nothing then and does not panic. If
/// the guard was taken inside of a transaction that is aborted when the guard is dropped, PostgreSQL accepts no statement, and a
/// rollback would not release the lock: the session is ended, and with it the transaction and the lock. Every later statement of the
/// connection fails, and a pool discards it. This cannot happen to a transaction that is begun through the guard, nor
/// to [`hold`](crate::RunAdvisoryLock::hold).
///
/// MySQL and MariaDB release the lock in any transaction. If the server does not find the lock under its name, the session may have
/// changed to another database and still hold it: the connection is marked as broken then, too. The same happens after a statement of
/// the application's that releases all locks of the session.
///
/// It also happens if the driver panics, as `AsyncConnectionWrapper` does where an asynchronous runtime does not let it block. Dropping
/// the guard does not pass the panic on.
///
/// `std::mem::forget` keeps the lock until the session ends.
///
/// # Example: statements over the connection of the guard
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() {
/// # let conn = &mut establish();
/// let mut guard = AdvisoryLock::named("report").acquire(conn).unwrap();
/// let orders: i64 = orders::table.count().get_result(&mut *guard).unwrap();
/// assert!(guard.release()); // it was held all the time
/// # assert_eq!(orders, 3);
/// # }
/// ```
#[must_use = "dropping the guard releases the lock at once"]
pub struct AdvisoryGuard<'c, Conn: LockConnection<Backend: AdvisoryBackend>> {
    conn: &'c mut Conn,
    name: AdvisoryName,
    shared: bool,
    released: bool,
}

impl<'c, Conn: LockConnection<Backend: AdvisoryBackend>> AdvisoryGuard<'c, Conn> {
    pub(super) fn new<M: AdvisoryMode>(conn: &'c mut Conn, name: AdvisoryName) -> Self {
        AdvisoryGuard { conn, name, shared: M::SHARED, released: false }
    }

    /// Returns the name of the lock.
    pub fn name(&self) -> &AdvisoryName {
        &self.name
    }

    /// Releases the lock, and returns whether it was still held. It was not if the connection was lost, or if a statement of the
    /// application's had released all locks of the session.
    pub fn release(mut self) -> bool {
        self.released = true;
        now(core::release(&self.name, self.shared, &mut Blocking(self.conn)))
    }
}

impl<Conn: LockConnection<Backend: AdvisoryBackend>> Drop for AdvisoryGuard<'_, Conn> {
    fn drop(&mut self) {
        if !self.released {
            // A panic in `drop` during another panic would abort the process. The connection is marked as broken instead.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                now(core::release(&self.name, self.shared, &mut Blocking(self.conn)))
            }));
        }
    }
}

impl<Conn: LockConnection<Backend: AdvisoryBackend>> Deref for AdvisoryGuard<'_, Conn> {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        self.conn
    }
}

impl<Conn: LockConnection<Backend: AdvisoryBackend>> DerefMut for AdvisoryGuard<'_, Conn> {
    fn deref_mut(&mut self) -> &mut Conn {
        self.conn
    }
}

impl<Conn: LockConnection<Backend: AdvisoryBackend>> fmt::Debug for AdvisoryGuard<'_, Conn> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdvisoryGuard").field("name", &self.name).field("shared", &self.shared).finish_non_exhaustive()
    }
}
