//! The guards of advisory locks over connections of `diesel-async`.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    time::Duration,
};

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use tokio::time::{Instant, sleep, timeout};

use super::{catch::catch, connection::LockConnection, driver::Nonblocking};
use crate::{
    advisory::{AdvisoryMode, AdvisoryName},
    backend::AdvisoryBackend,
    core,
    error::{LockError, Result},
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
    /// The time before which the lock is known to have been held.
    known: Instant,
}

/// A guard that holds an advisory lock of the session and owns its connection, such as one out of a pool.
/// [`acquire_owned`](super::RunAdvisoryLock::acquire_owned) returns it. Use it as the connection: `&mut *guard`.
///
/// End it with [`release`](Self::release), which puts the connection back into its pool. If it is dropped instead, the connection is marked
/// as broken and the session is told to end, as by [`AdvisoryGuard`].
///
/// # Example: a leader that stops when it is none any more
///
/// ```
/// # include!("../doctest_setup_async.rs");
/// # async fn work() {}
/// # fn main() {
/// #     let url = std::env::var("PG_DATABASE_URL").expect("PG_DATABASE_URL names a server");
/// #     let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// #     runtime.block_on(async {
/// #         use diesel_async::AsyncConnection;
/// #         lead(AsyncPgConnection::establish(&url).await.unwrap()).await.unwrap();
/// #     });
/// # }
/// use std::time::Duration;
///
/// async fn lead(conn: AsyncPgConnection) -> Result<(), LockError> {
///     // Waits until the leader before is gone.
///     let mut leader = AdvisoryLock::named("leader").acquire_owned(conn).await?;
///     tokio::select! {
///         // Asks the server once a second, and drops the work in the end.
///         lost = leader.lost(Duration::from_secs(1)) => return lost,
///         () = work() => {}
///     }
///     leader.release().await;
///     Ok(())
/// }
/// ```
#[must_use = "dropping the guard gives the connection up"]
pub struct OwnedAdvisoryGuard<Conn: LockConnection<Backend: AdvisoryBackend>> {
    conn: Conn,
    name: AdvisoryName,
    shared: bool,
    released: bool,
    /// The time before which the lock is known to have been held.
    known: Instant,
}

/// Builds the error of a server that has not answered in time. The connection is marked as broken by then.
fn silent(time: Duration) -> LockError {
    let text = format!("no answer within {time:?} to the question whether the advisory lock is held");
    LockError::ConnectionLost(DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(text)))
}

/// Implements what both guards do. `$conn` is the type of the connection's field, `$borrow` makes a `&mut Conn` of it.
macro_rules! guards {
    ($($Guard:ty, $conn:ty, |$guard:ident| $borrow:expr, $(<$c:lifetime>)?;)*) => {$(
        impl<$($c,)? Conn: LockConnection<Backend: AdvisoryBackend>> $Guard {
            pub(super) fn new<M: AdvisoryMode>(conn: $conn, name: AdvisoryName) -> Self {
                Self { conn, name, shared: M::SHARED, released: false, known: Instant::now() }
            }

            /// Returns the name of the lock.
            pub fn name(&self) -> &AdvisoryName {
                &self.name
            }

            /// Asks the server whether this session still holds the lock. As
            /// [`AdvisoryGuard::is_held`](crate::AdvisoryGuard::is_held): what is known, and what is not, is there.
            ///
            /// # Errors
            ///
            /// Those of the blocking call.
            ///
            /// # Cancel safety
            ///
            /// If the future is dropped before it is ready, the connection is marked as broken, as if the guard were dropped.
            pub async fn is_held(&mut self) -> Result<bool> {
                let (name, shared, asked) = (self.name.clone(), self.shared, Instant::now());
                let $guard = &mut *self;
                let mut driver = Nonblocking::new($borrow);
                let held = catch(core::is_mine(&name, shared, &mut driver)).await;
                let held = driver.done(held);
                if matches!(held, Ok(true)) {
                    self.known = asked;
                }
                held
            }

            /// Waits until the lock is lost: asks the server as often as `every` says, and is ready when the answer is not that this session
            /// holds it. A leader that does its work beside it, in a `select!`, stops then.
            ///
            /// It is ready at the latest twice `every` after the loss: a question that has no answer after `every` counts as a loss, as
            /// in a network that swallows packets. Choose seconds rather than milliseconds, so that a server that is busy for a moment
            /// does not end a leader. Between two questions the lock can be lost and another session can have it:
            /// [`is_held`](crate::AdvisoryGuard::is_held) has what to do where that matters.
            ///
            /// The first question is asked `every` after the last one, or after the lock was taken, also if that was in another call of
            /// this method. A connection in which nothing is sent meanwhile is kept open by the questions, too.
            ///
            /// # Errors
            ///
            /// `Ok(())` means that the session lives and does not hold the lock. An error is that of the question, which was not answered:
            /// [`LockError::ConnectionLost`](crate::LockError::ConnectionLost) if the session is gone or silent. The lock is to be taken for lost either way.
            ///
            /// # Panics
            ///
            /// Outside of a tokio runtime, or in one without a timer.
            ///
            /// # Cancel safety
            ///
            /// If the future is dropped between two questions, nothing happens. If it is dropped while an answer is awaited, the connection
            /// is marked as broken, and the lock ends with the session. So do not call it anew for each step of the work: keep the one
            /// future beside all of the work, or beside each step by `&mut` ([`pin!`](std::pin::pin)).
            pub async fn lost(&mut self, every: Duration) -> Result<()> {
                loop {
                    sleep(every.saturating_sub(self.known.elapsed())).await;
                    match timeout(every, self.is_held()).await {
                        Ok(Ok(true)) => {}
                        Ok(Ok(false)) => return Ok(()),
                        Ok(Err(error)) => return Err(error),
                        Err(_) => return Err(silent(every)),
                    }
                }
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
