//! The options of migrations that run under an advisory lock.

use std::time::Duration;

use diesel::{
    Connection,
    migration::{MigrationSource, MigrationVersion, Result},
};
use diesel_migrations::MigrationHarness;

use super::run;
use crate::{backend::SupportsAdvisory, blocking::LockConnection, markers::Exclusive, transaction::LockTransaction};

/// Runs all pending migrations under an advisory lock, as [`run_pending_migrations_locked`](crate::run_pending_migrations_locked) does, with
/// a limit on their waits for other locks, and retries.
///
/// A migration that changes a table waits for the transactions that use it, and every statement of another session that needs the table
/// waits behind the migration, a `SELECT` too. One long report in front of an `ALTER TABLE` stops an application. With
/// [`lock_timeout`](Self::lock_timeout) the migration gives up after that time, those behind it go on, and
/// [`retries`](Self::retries) says how often it is tried again.
///
/// # What is limited
///
/// Each wait of a migration for one lock, of a table or of a row. The limit is set when the advisory lock was taken, so the wait for other
/// processes is not limited, for each migration by itself, and ends with it.
///
/// | | statements around those of a migration |
/// | --- | --- |
/// | PostgreSQL | `SET LOCAL lock_timeout = ..`, in milliseconds ([manual][pg]) |
/// | MySQL, MariaDB | `SET SESSION lock_wait_timeout = .., SESSION innodb_lock_wait_timeout = ..`, in whole seconds, rounded up ([MySQL][mysql], [MariaDB][mariadb]), and the former values afterwards |
///
/// **A migration that runs without a transaction is not limited** (`run_in_transaction = false` in its `metadata.toml`), and not tried
/// again. A `CREATE INDEX CONCURRENTLY` that fails leaves an invalid index behind, which costs every write and has to be dropped by hand
/// ([manual][index]); its waits stop nobody who reads or writes. Such a migration can set a limit in its own text.
///
/// # What is tried again
///
/// A migration whose wait took too long, if nothing of it is kept:
///
/// - On PostgreSQL its transaction was rolled back as a whole. The limit ends with that transaction: a migration that sends `COMMIT` itself
///   is not limited from there on, and not tried again if the server's own `lock_timeout` ends a wait behind that.
/// - MySQL and MariaDB commit before and after a statement that changes a table ([MySQL][commit], [MariaDB][mariadb-commit]). So a
///   migration of several statements may be half done. It is tried again only if the one that waited was the first of its statements that
///   could change something; the session's counters of statements (`Com_..` of `SHOW STATUS`) tell. **Write one statement per migration there.** If it is
///   half done, the error says so: nothing undoes what is committed.
///
/// The advisory lock is held in the pauses, so no other process begins meanwhile, and no other lock. Migrations before it stay
/// committed. Other errors, such as a deadlock, are not retried.
///
/// # Example: two seconds at a time, for a minute or two
///
/// ```
/// # include!("../../doctest_setup.rs");
/// use std::time::Duration;
///
/// use diesel_lockset::LockedMigrations;
/// use diesel_migrations::FileBasedMigrations;
///
/// fn start(conn: &mut PgConnection) -> diesel::migration::Result<()> {
///     let migrations = FileBasedMigrations::find_migrations_directory()?;
///     LockedMigrations::new()
///         .lock_timeout(Duration::from_secs(2))
///         .retries(20)
///         .run(conn, migrations)?;
///     Ok(())
/// }
/// # fn main() {}
/// ```
///
/// [pg]: https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT
/// [mysql]: https://dev.mysql.com/doc/refman/9.7/en/server-system-variables.html#sysvar_lock_wait_timeout
/// [mariadb]: https://mariadb.com/docs/server/server-management/variables-and-modes/server-system-variables#lock_wait_timeout
/// [index]: https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
/// [commit]: https://dev.mysql.com/doc/refman/9.7/en/implicit-commit.html
/// [mariadb-commit]: https://mariadb.com/docs/server/reference/sql-statements/transactions/sql-statements-that-cause-an-implicit-commit
#[derive(Debug, Clone, Copy)]
#[must_use = "no migration is run until `run` is called"]
pub struct LockedMigrations {
    pub(super) lock_timeout: Option<Duration>,
    /// Only its retries are used.
    pub(super) retries: LockTransaction,
}

impl LockedMigrations {
    /// Returns the options of [`run_pending_migrations_locked`](crate::run_pending_migrations_locked): no limit, no retries.
    pub fn new() -> Self {
        let pauses = (Duration::from_millis(100), Duration::from_secs(10));
        let retries = LockTransaction::new().retries(0).backoff(pauses.0, pauses.1).retry_timed_out();
        LockedMigrations { lock_timeout: None, retries }
    }

    /// Limits each wait of a migration for a lock. `None` is no limit but the server's own; less than a millisecond is one, and on MySQL and
    /// MariaDB less than a second is one.
    pub fn lock_timeout(mut self, lock_timeout: impl Into<Option<Duration>>) -> Self {
        self.lock_timeout = lock_timeout.into();
        self
    }

    /// Sets the number of times that a migration is tried again whose wait took longer than the limit. Each migration has as many.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = self.retries.retries(retries);
        self
    }

    /// Sets the pause before the first retry and the longest one. Each is double the one before, with up to as much jitter added; without this
    /// call they are 100 ms and 10 s.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.retries = self.retries.backoff(first, longest);
        self
    }

    /// Runs the migrations, and returns the versions of those that were pending. Over a connection of diesel-async it is `run_async`.
    ///
    /// # Errors
    ///
    /// Those of [`run_pending_migrations_locked`](crate::run_pending_migrations_locked), and boxed:
    ///
    /// - [`LockError::TimedOut`](crate::LockError::TimedOut) if a wait was longer than the limit, whose
    ///   [`Attempt`](crate::error::Attempt) has the name of the migration, and says whether nothing of it is kept;
    /// - [`LockError::RetriesExhausted`](crate::LockError::RetriesExhausted) with that error as its source, if it was retried;
    /// - [`LockError::Unsupported`](crate::LockError::Unsupported) with a limit in an open transaction: nothing was sent.
    ///
    /// # Panics
    ///
    /// If a migration does.
    pub fn run<Conn, S>(self, conn: &mut Conn, migrations: S) -> Result<Vec<MigrationVersion<'static>>>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<Exclusive>> + MigrationHarness<<Conn as Connection>::Backend>,
        S: MigrationSource<<Conn as Connection>::Backend>,
    {
        run::under_the_lock(self, conn, migrations)
    }
}

impl Default for LockedMigrations {
    fn default() -> Self {
        Self::new()
    }
}
