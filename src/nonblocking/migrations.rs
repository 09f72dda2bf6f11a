//! Runs Diesel's migrations under an advisory lock, over a connection of `diesel-async`.

use diesel::migration::{MigrationSource, MigrationVersion, Result};
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_migrations::MigrationHarness;

use super::connection::LockConnection;
use crate::{backend::SupportsAdvisory, blocking::LockedMigrations, markers::Exclusive};

/// Runs all pending migrations under an advisory lock, one process at a time: any number of processes can start at once.
///
/// As the blocking [`run_pending_migrations_locked`](crate::run_pending_migrations_locked), in a thread of the runtime's that may block,
/// since Diesel's migrations are run by blocking calls. The connection is dropped at the end, which puts it back into its pool.
///
/// # Errors
///
/// Those of the blocking call. An error that says so if the runtime ends before the migrations do.
///
/// # Cancel safety
///
/// If the future is dropped before it is ready, the migrations go on to their end in their thread, and release the lock.
///
/// # Panics
///
/// If a migration does, or outside of a tokio runtime.
///
/// # Example: at the start of every process
///
/// ```no_run
/// # include!("../doctest_setup_async.rs");
/// # fn main() {}
/// # async fn doc(url: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// use diesel_async::AsyncConnection;
/// use diesel_lockset::nonblocking::run_pending_migrations_locked;
/// use diesel_migrations::FileBasedMigrations;
///
/// let conn = AsyncPgConnection::establish(url).await?;
/// let migrations = FileBasedMigrations::find_migrations_directory()?;
/// let done = run_pending_migrations_locked(conn, migrations).await?;
/// println!("{} migrations were run", done.len());
/// # Ok(()) }
/// ```
pub async fn run_pending_migrations_locked<Conn, S>(conn: Conn, migrations: S) -> Result<Vec<MigrationVersion<'static>>>
where
    Conn: LockConnection<Backend: SupportsAdvisory<Exclusive>> + 'static,
    AsyncConnectionWrapper<Conn>: crate::LockConnection<Backend = Conn::Backend> + MigrationHarness<Conn::Backend>,
    S: MigrationSource<Conn::Backend> + Send + 'static,
{
    LockedMigrations::new().run_async(conn, migrations).await
}

impl LockedMigrations {
    /// Runs the migrations over a connection of diesel-async. As [`run`](Self::run), in a thread of the runtime's that may block, since
    /// Diesel's migrations are run by blocking calls. The connection is dropped at the end, which puts it back into its pool.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run). An error that says so if the runtime ends before the migrations do.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the migrations and their retries go on to their end in their thread, and release the lock.
    ///
    /// # Panics
    ///
    /// If a migration does, or outside of a tokio runtime.
    ///
    /// # Example: two seconds at a time
    ///
    /// ```no_run
    /// # include!("../doctest_setup_async.rs");
    /// # fn main() {}
    /// # async fn doc(url: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// use std::time::Duration;
    ///
    /// use diesel_async::AsyncConnection;
    /// use diesel_lockset::LockedMigrations;
    /// use diesel_migrations::FileBasedMigrations;
    ///
    /// let conn = AsyncPgConnection::establish(url).await?;
    /// let migrations = FileBasedMigrations::find_migrations_directory()?;
    /// LockedMigrations::new()
    ///     .lock_timeout(Duration::from_secs(2))
    ///     .retries(20)
    ///     .run_async(conn, migrations)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub async fn run_async<Conn, S>(self, conn: Conn, migrations: S) -> Result<Vec<MigrationVersion<'static>>>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<Exclusive>> + 'static,
        AsyncConnectionWrapper<Conn>: crate::LockConnection<Backend = Conn::Backend> + MigrationHarness<Conn::Backend>,
        S: MigrationSource<Conn::Backend> + Send + 'static,
    {
        let mut conn = AsyncConnectionWrapper::<Conn>::from(conn);
        match tokio::task::spawn_blocking(move || self.run(&mut conn, migrations)).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(ended) => Err(Box::new(ended)),
            },
        }
    }
}
