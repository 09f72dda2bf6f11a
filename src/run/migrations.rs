//! Running Diesel's migrations under an advisory lock.

use std::{thread, time::Duration};

use diesel::{
    Connection,
    migration::{MigrationSource, MigrationVersion, Result},
};
use diesel_migrations::MigrationHarness;

use super::blocking_advisory::{AdvisoryConnection, RunAdvisoryLock};
use crate::{
    advisory::{AdvisoryLock, Exclusive},
    diesel_internals::transaction_depth,
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
    if transaction_depth(conn)?.is_some() {
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
    Conn: Connection + MigrationHarness<<Conn as Connection>::Backend>,
    S: MigrationSource<<Conn as Connection>::Backend>,
{
    Ok(conn.run_pending_migrations(migrations)?.iter().map(MigrationVersion::as_owned).collect())
}
