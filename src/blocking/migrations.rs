//! Runs Diesel's migrations under an advisory lock.

use std::{cell::Cell, error::Error, thread, time::Duration};

use diesel::{
    Connection,
    backend::Backend,
    connection::BoxableConnection,
    migration::{Migration, MigrationMetadata, MigrationName, MigrationSource, MigrationVersion, Result},
    result::Error as DieselError,
};
use diesel_migrations::MigrationHarness;

use super::{advisory::RunAdvisoryLock, connection::LockConnection, driver::Blocking};
use crate::{
    advisory::AdvisoryLock,
    backend::{LockingBackend, SupportsAdvisory},
    core::Driver,
    error::{LockError, Refusal},
    markers::Exclusive,
};

/// The pause between two tries of a process that waits for the lock.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs all pending migrations under an advisory lock, one process at a time: any number of processes can start at once.
///
/// It does the work of Diesel's [`run_pending_migrations`](MigrationHarness::run_pending_migrations), which several processes must not
/// call at the same time: it reads the pending migrations and then runs them, so that two processes run the same ones, and the first
/// statement of the slower one fails. Here the second process reads them when the first is done, and finds none.
///
/// The lock is `AdvisoryLock::named("diesel_lockset").scope("migrations")`, in the current database of the connection. Tools in other
/// languages can take it too: its text is `|diesel_lockset|migrations`. Its key is -6204181031774952724 on PostgreSQL, and the result of
/// [`key_in`](crate::AdvisoryName::key_in) on MySQL and MariaDB. The session holds it, around the transaction of each migration, so that
/// migrations that cannot run in a transaction work as well. With pgbouncer's transaction mode, run migrations over a direct connection.
///
/// The call waits without a limit, and tries every 50 ms. A wait inside of PostgreSQL would be a deadlock: a
/// `CREATE INDEX CONCURRENTLY` in a migration of the session that holds the lock has to wait for the session that waits for the lock.
///
/// In an open transaction, the migrations run in that, and the lock stays until it ends. On MySQL and MariaDB a migration that changes a
/// table commits. So do not call it in an open transaction there; in one that this crate did not begin it is refused. A migration that
/// fails half-way keeps the changes that it has made there: the next process runs it from its beginning.
///
/// # Errors
///
/// Those of `run_pending_migrations`, and the [`LockError`](crate::LockError) of taking the lock. The lock is released, and the
/// next process tries.
///
/// Each migration is committed by itself. If the connection is lost during the commit, the migration may have been committed, and the
/// error is a [`LockError::CommitUnknown`](crate::LockError::CommitUnknown), boxed. On MySQL and MariaDB, and for a migration without a
/// transaction, it is the same error if the connection is lost in the middle of the migration. The migrations before it are committed.
/// Call it again, over a new connection: it finds the pending ones.
///
/// # Example: at the start of every process
///
/// ```
/// # include!("../doctest_setup.rs");
/// use diesel_lockset::run_pending_migrations_locked;
/// use diesel_migrations::FileBasedMigrations;
///
/// fn start(conn: &mut PgConnection) -> diesel::migration::Result<()> {
///     // Or those of `embed_migrations!()`, which are part of the program.
///     let migrations = FileBasedMigrations::find_migrations_directory()?;
///     for version in run_pending_migrations_locked(conn, migrations)? {
///         println!("migrated to {version}");
///     }
///     Ok(())
/// }
/// # fn main() {
/// # let lock = AdvisoryLock::named("diesel_lockset").scope("migrations");
/// # assert_eq!(lock.name().text(), "|diesel_lockset|migrations");
/// # assert_eq!(lock.name().key(), -6_204_181_031_774_952_724);
/// # }
/// ```
pub fn run_pending_migrations_locked<Conn, S>(conn: &mut Conn, migrations: S) -> Result<Vec<MigrationVersion<'static>>>
where
    Conn: LockConnection<Backend: SupportsAdvisory<Exclusive>> + MigrationHarness<<Conn as Connection>::Backend>,
    S: MigrationSource<<Conn as Connection>::Backend>,
{
    if Blocking(conn).depth()?.is_some() {
        return lock().hold(conn, |conn| run(conn, migrations));
    }
    loop {
        if let Some(mut held) = lock().try_acquire(conn)? {
            return run(&mut *held, migrations);
        }
        thread::sleep(PAUSE);
    }
}

/// Returns the lock. Its name must not change, so that processes of different versions of a program exclude each other.
fn lock() -> AdvisoryLock {
    AdvisoryLock::named("diesel_lockset").scope("migrations")
}

fn run<Conn, S>(conn: &mut Conn, migrations: S) -> Result<Vec<MigrationVersion<'static>>>
where
    Conn: LockConnection + MigrationHarness<<Conn as Connection>::Backend>,
    S: MigrationSource<<Conn as Connection>::Backend>,
{
    let nested = Blocking(conn).depth()?.is_some();
    let mut done = Vec::new();
    for migration in conn.pending_migrations(migrations)? {
        let watched = Watched { migration: &*migration, progress: Cell::new(Progress::Waits) };
        let version = match conn.run_migration(&watched) {
            Ok(version) => version.as_owned(),
            Err(error) if nested => return Err(error),
            Err(error) => return Err(class(error, &watched, conn)),
        };
        done.push(version);
    }
    Ok(done)
}

/// The progress of a migration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing of it was sent.
    Waits,
    /// Its statements are being sent.
    Runs,
    /// All of its statements were answered. Recording it in Diesel's table, and the commit, are left.
    HasRun,
}

/// A migration that records its progress.
struct Watched<'m, DB: Backend> {
    migration: &'m dyn Migration<DB>,
    progress: Cell<Progress>,
}

impl<DB: Backend> Migration<DB> for Watched<'_, DB> {
    fn run(&self, conn: &mut dyn BoxableConnection<DB>) -> Result<()> {
        self.progress.set(Progress::Runs);
        self.migration.run(conn)?;
        self.progress.set(Progress::HasRun);
        Ok(())
    }

    fn revert(&self, conn: &mut dyn BoxableConnection<DB>) -> Result<()> {
        self.migration.revert(conn)
    }

    fn metadata(&self) -> &dyn MigrationMetadata {
        self.migration.metadata()
    }

    fn name(&self) -> &dyn MigrationName {
        self.migration.name()
    }
}

/// Turns the error of a migration that may have been committed into a `CommitUnknown`. The errors of migrations hide those of
/// Diesel, so a statement is sent to find out whether the connection is lost.
fn class<Conn>(
    error: Box<dyn Error + Send + Sync>,
    watched: &Watched<'_, Conn::Backend>,
    conn: &mut Conn,
) -> Box<dyn Error + Send + Sync>
where
    Conn: LockConnection,
{
    let undone = Conn::Backend::IMPLICIT_ROLLBACK.is_none() && watched.metadata().run_in_transaction();
    let unsent = match watched.progress.get() {
        Progress::Waits => true,
        Progress::Runs => undone,
        Progress::HasRun => false,
    };
    let mut lost =
        || conn.batch_execute("SELECT 1").is_err_and(|error| matches!(error.into(), LockError::ConnectionLost(_)));
    if unsent || !lost() {
        return error;
    }
    let error = error.downcast::<DieselError>().map_or_else(DieselError::QueryBuilderError, |error| *error);
    Box::new(LockError::CommitUnknown(Refusal::commit_unknown(error)))
}
