//! Running Diesel's migrations under an advisory lock.

use std::{cell::Cell, error::Error, thread, time::Duration};

use diesel::{
    Connection,
    backend::Backend,
    connection::BoxableConnection,
    migration::{Migration, MigrationMetadata, MigrationName, MigrationSource, MigrationVersion, Result},
    result::Error as DieselError,
};
use diesel_migrations::MigrationHarness;

use super::{
    advisory::{AdvisoryConnection, RunAdvisoryLock},
    connection::LockConnection,
    driver::Blocking,
};
use crate::{
    advisory::{AdvisoryLock, Exclusive},
    backend::LockingBackend,
    core::Driver,
    error::{LockError, Refusal},
};

/// How often a process that has to wait looks again.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs all pending migrations, one process at a time: any number of them can start at once.
///
/// As Diesel's [`run_pending_migrations`](MigrationHarness::run_pending_migrations), which is not safe to be called at once:
/// it looks which migrations are pending and then runs them, so that two processes run the same ones, and the first statement
/// of the slower one fails. Here the second process looks when the first is done, and finds nothing to do.
///
/// The lock is `AdvisoryLock::named("diesel_lockset").scope("migrations")`, in the database that the connection is connected
/// to. Tools in other languages that take it too wait their turn: its text is `|diesel_lockset|migrations`, and its key
/// -6204181031774952724, on MySQL and MariaDB what [`key_in`](crate::AdvisoryName::key_in) makes of it. It is held by the session, around the transaction of each migration, so that migrations that cannot
/// run in one work as well; through pgbouncer's transaction mode, run migrations over a direct connection.
///
/// Waits as long as it takes, by asking every 50 ms. A session that waits inside of PostgreSQL would have to be waited for by
/// a `CREATE INDEX CONCURRENTLY` in a migration of the one that holds the lock, and be a deadlock.
///
/// In an open transaction, the migrations run in that, and the lock stays until it ends. MySQL and MariaDB commit when a
/// migration changes a table, so there it is refused, and a migration that fails half-way leaves what it has done: the next
/// process runs it from its beginning.
///
/// # Errors
///
/// Those of `run_pending_migrations`; the [`LockError`](crate::LockError) of taking the lock. The lock is released, and the
/// next process tries.
///
/// Each migration is committed by itself. If the connection is lost while one is, it may have been committed, and the error is a
/// [`LockError::CommitUnknown`](crate::LockError::CommitUnknown), boxed; on MySQL and MariaDB, and for a migration without a
/// transaction, also if it is lost in the middle of one. Those before it are committed. Call it again, over a new connection: it
/// looks which migrations are pending.
///
/// # Example: at the start of every process
///
/// ```
/// # include!("../doctest_setup.rs");
/// use diesel_lockset::run_pending_migrations_locked;
/// use diesel_migrations::{EmbeddedMigrations, embed_migrations};
///
/// const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");
///
/// fn start(conn: &mut PgConnection) -> diesel::migration::Result<()> {
///     for version in run_pending_migrations_locked(conn, MIGRATIONS)? {
///         println!("migrated to {version}");
///     }
///     Ok(())
/// }
/// # fn main() {
/// # let lock = AdvisoryLock::named("diesel_lockset").scope("migrations");
/// # assert_eq!((lock.name().text(), lock.name().key()), ("|diesel_lockset|migrations", -6_204_181_031_774_952_724));
/// # }
/// ```
pub fn run_pending_migrations_locked<Conn, S>(conn: &mut Conn, migrations: S) -> Result<Vec<MigrationVersion<'static>>>
where
    Conn: AdvisoryConnection<Exclusive> + MigrationHarness<<Conn as Connection>::Backend>,
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

/// Processes of different versions of a program agree on it.
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

/// How far a migration has got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing of it was sent.
    Waits,
    /// Its statements are being sent.
    Runs,
    /// They were all answered. What is left is to note that, and to commit.
    HasRun,
}

/// A migration that notes how far it has got.
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

/// Says of a migration whose connection was lost on the way whether it may have been committed. The errors of migrations hide those of
/// Diesel, so the connection is asked whether it is lost.
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
