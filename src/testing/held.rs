//! Rows that another session holds while a test goes on.

use std::{
    error::Error,
    fmt,
    sync::mpsc::{Sender, channel},
    thread::{self, JoinHandle},
};

use diesel::connection::TransactionManager;

use super::server::TestBackend;
use crate::blocking::LockConnection;

type BoxError = Box<dyn Error + Send + Sync>;

/// Locks that a session of its own holds, until the value is dropped or [`release`](Self::release)d.
///
/// The session is a thread with its own connection and an open transaction. That is rolled back in the end, so what the closure has changed
/// is undone.
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # let url = std::env::var("PG_DATABASE_URL")?;
/// use diesel_lockset::testing::{Held, LockProbe, TestDatabase};
///
/// let database = TestDatabase::<PgConnection>::create(&url)?;
/// database.execute(
///     "CREATE TABLE accounts (
///          id int PRIMARY KEY, owner text NOT NULL, balance int NOT NULL);
///      INSERT INTO accounts VALUES (1, 'Ada', 100), (2, 'Bob', 50)",
/// )?;
/// let probe = &mut LockProbe::<PgConnection>::connect(database.url())?;
///
/// let held = Held::by(database.url(), |conn: &mut PgConnection| {
///     Account::lock_by_id(1, conn)
/// })?;
/// probe.assert_locked::<Account>([1]);
/// probe.assert_free::<Account>([2]);
///
/// held.release();
/// probe.assert_free::<Account>([1, 2]);
/// # Ok(())
/// # }
/// ```
#[must_use = "the locks are released when the value is dropped"]
pub struct Held {
    session: i64,
    /// Dropped to end the session.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Held {
    /// Opens a transaction over a new connection, runs the closure in it, and returns when the closure has. It blocks as long as the
    /// closure does.
    ///
    /// # Errors
    ///
    /// If there is no connection, or the closure returns an error: then nothing is held.
    pub fn by<C, T, E>(
        url: impl Into<String>,
        lock: impl FnOnce(&mut C) -> Result<T, E> + Send + 'static,
    ) -> Result<Self, BoxError>
    where
        C: LockConnection<Backend: TestBackend>,
        E: Into<BoxError>,
    {
        let url = url.into();
        let ((held, answer), (end, ended)) = (channel(), channel::<()>());
        let thread = thread::spawn(move || {
            let open = || -> Result<(C, i64), BoxError> {
                let mut conn = C::establish(&url)?;
                let session = C::Backend::session(&mut conn)?;
                C::TransactionManager::begin_transaction(&mut conn)?;
                Ok((conn, session))
            };
            let opened = open().and_then(|(mut conn, session)| {
                lock(&mut conn).map_err(Into::into)?;
                Ok((conn, session))
            });
            match opened {
                Ok((mut conn, session)) => {
                    let _ = held.send(Ok(session));
                    let _ = ended.recv();
                    let _ = C::TransactionManager::rollback_transaction(&mut conn);
                }
                Err(error) => drop(held.send(Err(error))),
            }
        });
        let session = answer.recv().unwrap_or_else(|_| Err("the closure panicked".into()))?;
        Ok(Held { session, end: Some(end), thread: Some(thread) })
    }

    /// Returns the server's number of the session.
    #[must_use]
    pub fn session(&self) -> i64 {
        self.session
    }

    /// Rolls the transaction back. Returns when the locks are free.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("session", &self.session).finish_non_exhaustive()
    }
}
