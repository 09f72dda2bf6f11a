//! Takes the lock, runs the migrations, and tries those again that did not get their locks in time.

use std::{
    cell::Cell,
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    thread,
    time::{Duration, Instant},
};

use diesel::{
    Connection,
    backend::Backend,
    connection::BoxableConnection,
    migration::{Migration, MigrationMetadata, MigrationName, MigrationSource, MigrationVersion, Result},
    result::Error as DieselError,
};
use diesel_migrations::MigrationHarness;

use super::LockedMigrations;
use crate::{
    advisory::AdvisoryLock,
    backend::{AdvisoryBackend, LockLimit, LockingBackend, SupportsAdvisory},
    blocking::{
        LockConnection, RunAdvisoryLock,
        driver::{Blocking, now},
    },
    core::{self, Driver},
    error::{Attempt, LockError, Refusal, ends_with_a_lock_timeout},
    markers::Exclusive,
    transaction::{Retries, Verdict},
};

/// The pause between two tries of a process that waits for the lock.
const PAUSE: Duration = Duration::from_millis(50);

type Boxed = Box<dyn Error + Send + Sync>;

pub(super) fn under_the_lock<Conn, S>(
    options: LockedMigrations,
    conn: &mut Conn,
    migrations: S,
) -> Result<Vec<MigrationVersion<'static>>>
where
    Conn: LockConnection<Backend: SupportsAdvisory<Exclusive>> + MigrationHarness<<Conn as Connection>::Backend>,
    S: MigrationSource<<Conn as Connection>::Backend>,
{
    if Blocking(conn).depth()?.is_some() {
        if options.lock_timeout.is_some() {
            return Err(Box::new(LockError::limit_in_a_transaction()));
        }
        return lock().hold(conn, |conn| run(options, conn, migrations));
    }
    loop {
        if let Some(mut held) = lock().try_acquire(conn)? {
            return run(options, &mut *held, migrations);
        }
        thread::sleep(PAUSE);
    }
}

/// Returns the lock. Its name must not change, so that processes of different versions of a program exclude each other.
fn lock() -> AdvisoryLock {
    AdvisoryLock::named("diesel_lockset").scope("migrations")
}

fn run<Conn, S>(options: LockedMigrations, conn: &mut Conn, migrations: S) -> Result<Vec<MigrationVersion<'static>>>
where
    Conn: LockConnection<Backend: AdvisoryBackend> + MigrationHarness<<Conn as Connection>::Backend>,
    S: MigrationSource<<Conn as Connection>::Backend>,
{
    let nested = Blocking(conn).depth()?.is_some();
    let mut done = Vec::new();
    for migration in conn.pending_migrations(migrations)? {
        let time = options.lock_timeout.filter(|_| migration.metadata().run_in_transaction());
        done.push(match time {
            Some(time) => run_limited(options, time, &*migration, conn)?,
            None => run_once(None, &*migration, nested, conn)?,
        });
    }
    Ok(done)
}

/// Runs a migration whose waits are limited, again and again if nothing of it is kept.
fn run_limited<Conn, DB>(
    options: LockedMigrations,
    time: Duration,
    migration: &dyn Migration<DB>,
    conn: &mut Conn,
) -> Result<MigrationVersion<'static>>
where
    DB: AdvisoryBackend,
    Conn: LockConnection<Backend = DB> + MigrationHarness<DB>,
{
    let mut retries = Retries::new(&options.retries.options, false);
    loop {
        let before = now(core::changes(&mut Blocking(conn)))?;
        let began = Instant::now();
        let LockLimit { set, restore, forget, .. } = DB::LOCK_LIMIT;
        let limit = Limit { set: set(time), restore, forget };
        let error = match run_once(Some(limit), migration, false, conn) {
            Ok(version) => return Ok(version),
            Err(error) => error,
        };
        let after = now(core::changes(&mut Blocking(conn)));
        if !ends_with_a_lock_timeout(&error.to_string()) {
            return Err(error);
        }
        // The statement that waited is one of those that could have changed something.
        let undone = match (before, after) {
            (None, _) => true,
            (Some(before), Ok(Some(after))) => after.checked_sub(before).is_some_and(|changes| changes <= 1),
            (Some(_), _) => false,
        };
        let attempt = Attempt::at_migration(migration.name().to_string(), began.elapsed(), undone);
        let source = Some(Refusal::timed_out(into_diesel(error)));
        let error = LockError::TimedOut { attempt: Some(Box::new(attempt)), source };
        if !undone {
            return Err(Box::new(error));
        }
        match retries.judge(&error, &mut |_| false) {
            Verdict::Retry(pause) => thread::sleep(pause),
            Verdict::Pass => return Err(Box::new(error)),
            Verdict::GiveUp => {
                let (tries, elapsed) = (retries.tries(), retries.elapsed());
                let source = Box::new(error);
                return Err(Box::new(LockError::RetriesExhausted { tries, elapsed, nested: false, source }));
            }
        }
    }
}

fn run_once<Conn, DB>(
    limit: Option<Limit>,
    migration: &dyn Migration<DB>,
    nested: bool,
    conn: &mut Conn,
) -> Result<MigrationVersion<'static>>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB> + MigrationHarness<DB>,
{
    let watched = Watched { migration, limit, progress: Cell::new(Progress::Waits), limited: Cell::new(false) };
    let ran = catch_unwind(AssertUnwindSafe(|| conn.run_migration(&watched)));
    if watched.limited.get() {
        // A pool must not hand out a session with a limit.
        now(core::mark_broken(&mut Blocking(conn)));
    }
    match ran {
        Ok(Ok(version)) => Ok(version.as_owned()),
        Ok(Err(error)) if nested => Err(error),
        Ok(Err(error)) => Err(class(error, &watched, conn)),
        Err(panic) => resume_unwind(panic),
    }
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

/// The batches that limit the waits of a migration, and that restore the settings.
struct Limit {
    set: String,
    restore: Option<&'static str>,
    forget: Option<&'static str>,
}

/// A migration that limits its waits and records its progress.
struct Watched<'m, DB: Backend> {
    migration: &'m dyn Migration<DB>,
    limit: Option<Limit>,
    progress: Cell<Progress>,
    /// True while the session has a setting that must be restored.
    limited: Cell<bool>,
}

impl<DB: Backend> Watched<'_, DB> {
    /// Restores the settings. If that fails, the session stays marked.
    fn restore(&self, limit: &Limit, conn: &mut dyn BoxableConnection<DB>) {
        if limit.restore.is_none_or(|restore| conn.batch_execute(restore).is_ok()) {
            self.limited.set(false);
        }
    }
}

impl<DB: Backend> Migration<DB> for Watched<'_, DB> {
    fn run(&self, conn: &mut dyn BoxableConnection<DB>) -> Result<()> {
        self.progress.set(Progress::Runs);
        if let Some(limit) = &self.limit {
            self.limited.set(limit.restore.is_some());
            conn.batch_execute(&limit.set)?;
        }
        let run = self.migration.run(conn);
        if let Some(limit) = &self.limit {
            self.restore(limit, conn);
        }
        run?;
        if let Some(forget) = self.limit.as_ref().and_then(|limit| limit.forget) {
            conn.batch_execute(forget)?;
        }
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
fn class<Conn>(error: Boxed, watched: &Watched<'_, Conn::Backend>, conn: &mut Conn) -> Boxed
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
    Box::new(LockError::CommitUnknown(Refusal::commit_unknown(into_diesel(error))))
}

fn into_diesel(error: Boxed) -> DieselError {
    error.downcast::<DieselError>().map_or_else(DieselError::QueryBuilderError, |error| *error)
}
