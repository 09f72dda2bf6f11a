//! Runs Diesel's migrations under an advisory lock.

mod locked;
mod run;

use diesel::{
    Connection,
    migration::{MigrationSource, MigrationVersion, Result},
};
use diesel_migrations::MigrationHarness;

pub use self::locked::LockedMigrations;
use super::connection::LockConnection;
use crate::{backend::SupportsAdvisory, markers::Exclusive};

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
/// A migration waits for tables without a limit, and all other sessions wait behind it: [`LockedMigrations`] limits that, and tries again.
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
/// # include!("../../doctest_setup.rs");
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
    LockedMigrations::new().run(conn, migrations)
}
