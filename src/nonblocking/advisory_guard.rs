//! The guards of advisory locks over connections of `diesel-async`.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use super::{catch::catch, connection::LockConnection, driver::Nonblocking};
use crate::{
    advisory::{AdvisoryMode, AdvisoryName},
    backend::AdvisoryBackend,
    core,
};

/// A guard that holds an advisory lock of the session and borrows its connection.
/// [`acquire`](super::RunAdvisoryLock::acquire) returns it. Use it as the connection: `&mut *guard`.
///
/// End it with [`release`](Self::release). If it is dropped instead, there is nobody to await the answer: the connection is marked as
/// broken, this crate and Diesel's `transaction` refuse it, and a pool does not hand it out again. The session is told to end, and the lock
/// ends with it ([module](super#cancel-safety)).
#[must_use = "dropping the guard gives the connection up"]
pub struct AdvisoryGuard<'c, Conn: LockConnection<Backend: AdvisoryBackend>> {
    conn: &'c mut Conn,
    name: AdvisoryName,
    shared: bool,
    released: bool,
}

/// A guard that holds an advisory lock of the session and owns its connection, such as one out of a pool.
/// [`acquire_owned`](super::RunAdvisoryLock::acquire_owned) returns it. Use it as the connection: `&mut *guard`.
///
/// End it with [`release`](Self::release), which puts the connection back into its pool. If it is dropped instead, the connection is marked
/// as broken and the session is told to end, as by [`AdvisoryGuard`].
#[must_use = "dropping the guard gives the connection up"]
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

            /// Releases the lock, and returns whether it was still held. It was not if the connection was lost, or if a statement of the
            /// application's had released all locks of the session.
            ///
            /// # Cancel safety
            ///
            /// If the future is dropped before it is ready, the connection is marked as broken, as if the guard were dropped.
            pub async fn release(mut self) -> bool {
                let (name, shared) = (self.name.clone(), self.shared);
                let $guard = &mut self;
                let mut driver = Nonblocking::new($borrow);
                let held = catch(core::release(&name, shared, &mut driver)).await;
                let held = driver.done(held);
                self.released = true;
                held
            }
        }

        impl<$($c,)? Conn: LockConnection<Backend: AdvisoryBackend>> Drop for $Guard {
            fn drop(&mut self) {
                if !self.released {
                    let $guard = self;
                    // A call that never ends.
                    drop(Nonblocking::new($borrow));
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
