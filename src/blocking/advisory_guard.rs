//! The guards of advisory locks.

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
    error::Result,
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

/// A guard that holds an advisory lock of the session, and owns its connection, until it is dropped: the connection is dropped behind the
/// release, which puts one that comes out of a pool back into it.
///
/// [`acquire_owned`](crate::RunAdvisoryLock::acquire_owned) returns it. All else is as with [`AdvisoryGuard`]. It is meant for a lock that
/// lasts as long as the process: a leader asks [`is_held`](Self::is_held) before each round of its work.
///
/// # Example: a leader
///
/// ```
/// # include!("../doctest_setup.rs");
/// use diesel_lockset::OwnedAdvisoryGuard;
///
/// struct Leader(OwnedAdvisoryGuard<PgConnection>);
///
/// impl Leader {
///     fn elect(conn: PgConnection) -> Result<Self, LockError> {
///         // Waits until the leader before is gone.
///         Ok(Leader(AdvisoryLock::named("leader").acquire_owned(conn)?))
///     }
/// }
/// # fn main() -> Result<(), LockError> {
/// let mut leader = Leader::elect(establish())?;
/// let mut rounds = 0;
/// while rounds < 3 && leader.0.is_held()? {
///     // .. a round of the work ..
///     rounds += 1;
/// }
/// assert!(leader.0.release());
/// # assert_eq!(rounds, 3);
/// # Ok(()) }
/// ```
#[must_use = "dropping the guard releases the lock at once"]
pub struct OwnedAdvisoryGuard<Conn: LockConnection<Backend: AdvisoryBackend>> {
    conn: Conn,
    name: AdvisoryName,
    shared: bool,
    released: bool,
}

/// Implements what both guards do. `$conn` is the type of the connection's field, `$borrow` makes a `&mut Conn` of it.
macro_rules! guards {
    ($($Guard:ty, $conn:ty, |$guard:ident| $borrow:expr, $(<$c:lifetime>)?;)*) => {$(
        impl<$($c,)? Conn: LockConnection<Backend: AdvisoryBackend>> $Guard {
            pub(super) fn new<M: AdvisoryMode>(conn: $conn, name: AdvisoryName) -> Self {
                Self { conn, name, shared: M::SHARED, released: false }
            }

            /// Returns the name of the lock.
            pub fn name(&self) -> &AdvisoryName {
                &self.name
            }

            /// Asks the server whether this session still holds the lock.
            ///
            /// `true` is a fact about the moment of the answer. `false` means that the session lives and does not hold the lock: a
            /// statement of the application's has released all locks of the session, it has changed to another database (MySQL,
            /// MariaDB), or a pooler has assigned another session of the server's. One round trip, no lock is taken:
            ///
            /// - PostgreSQL: a look at [`pg_locks`] for the lock and `pg_backend_pid()`;
            /// - MySQL, MariaDB: `SELECT IS_USED_LOCK(name) <=> CONNECTION_ID()`, in the manuals of [MySQL][mysql] and
            ///   [MariaDB][mariadb].
            ///
            /// **Between two calls the lock can be lost, and another session can have it, before this process knows.** What must not
            /// be done by two leaders is done over this connection, in a transaction, which is lost together with the lock; or it
            /// carries a number that grows with each leader, and its receiver refuses a smaller one (a fencing token).
            ///
            /// The call blocks until the server answers. If the network fails, that is until the operating system gives the
            /// connection up, after minutes or hours unless the connection has a limit: [`tcp_user_timeout`][limit] and the
            /// `keepalives` of libpq, for instance.
            ///
            /// # Errors
            ///
            /// [`LockError::ConnectionLost`](crate::LockError::ConnectionLost): the session is gone, and the lock with it, at the latest
            /// when the server notices. Any other error, such as that of an aborted transaction on PostgreSQL: the lock is not known to be
            /// held. So an error is a reason to stop, as `false` is.
            ///
            /// [`pg_locks`]: https://www.postgresql.org/docs/current/view-pg-locks.html
            /// [mysql]: https://dev.mysql.com/doc/refman/9.7/en/locking-functions.html#function_is-used-lock
            /// [mariadb]: https://mariadb.com/docs/server/reference/sql-functions/secondary-functions/miscellaneous-functions/is_used_lock
            /// [limit]: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-TCP-USER-TIMEOUT
            pub fn is_held(&mut self) -> Result<bool> {
                let (name, shared) = (self.name.clone(), self.shared);
                let $guard = self;
                now(core::is_mine(&name, shared, &mut Blocking($borrow)))
            }

            /// Releases the lock, and returns whether it was still held. It was not if the connection was lost, or if a statement of the
            /// application's had released all locks of the session.
            pub fn release(mut self) -> bool {
                self.released = true;
                self.unlock()
            }

            fn unlock(&mut self) -> bool {
                let (name, shared) = (self.name.clone(), self.shared);
                let $guard = self;
                now(core::release(&name, shared, &mut Blocking($borrow)))
            }
        }

        impl<$($c,)? Conn: LockConnection<Backend: AdvisoryBackend>> Drop for $Guard {
            fn drop(&mut self) {
                if !self.released {
                    // A panic in `drop` during another panic would abort the process. The connection is marked as broken instead.
                    let _ = catch_unwind(AssertUnwindSafe(|| self.unlock()));
                }
            }
        }

        impl<$($c,)? Conn: LockConnection<Backend: AdvisoryBackend>> Deref for $Guard {
            type Target = Conn;

            fn deref(&self) -> &Conn {
                &self.conn
            }
        }

        impl<$($c,)? Conn: LockConnection<Backend: AdvisoryBackend>> DerefMut for $Guard {
            fn deref_mut(&mut self) -> &mut Conn {
                let $guard = self;
                $borrow
            }
        }

        impl<$($c,)? Conn: LockConnection<Backend: AdvisoryBackend>> fmt::Debug for $Guard {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut guard = f.debug_struct("AdvisoryGuard");
                guard.field("name", &self.name).field("shared", &self.shared).finish_non_exhaustive()
            }
        }
    )*};
}

guards! {
    AdvisoryGuard<'c, Conn>, &'c mut Conn, |guard| &mut *guard.conn, <'c>;
    OwnedAdvisoryGuard<Conn>, Conn, |guard| &mut guard.conn,;
}
