//! Migrations whose waits are limited: they give up in time, those behind them go on, and nothing is half done that is tried again.

use std::{fs, thread, time::Duration};

use diesel::{Connection as _, connection::SimpleConnection as _, migration::MigrationVersion};
use diesel_async::AsyncConnection as _;
use diesel_lockset::{AdvisoryLock, LockError, LockedMigrations, RunAdvisoryLock as _};
use diesel_migrations::FileBasedMigrations;

use super::{Arena, AsyncConn, Driver, SESSION_STATE};
use crate::support::{
    driver::Session,
    nonblocking::{block_on, runtime},
    patience::until,
    server::Server,
};

type Kind = <Driver as Session>::Server;
type Conn = <Kind as Server>::Conn;
type Done = diesel::migration::Result<Vec<MigrationVersion<'static>>>;

/// The shortest limit of MySQL and MariaDB.
const LIMIT: Duration = Duration::from_secs(1);

const MADE: (&str, &str) = ("2026-01-01-000001_made", "CREATE TABLE made (n integer)");

fn migrations(scripts: &[(&str, &str)], in_a_transaction: bool) -> (tempfile::TempDir, FileBasedMigrations) {
    let folder = tempfile::tempdir().unwrap();
    for (name, up) in scripts {
        let migration = folder.path().join(name);
        fs::create_dir(&migration).unwrap();
        fs::write(migration.join("up.sql"), up).unwrap();
        fs::write(migration.join("down.sql"), "").unwrap();
        fs::write(migration.join("metadata.toml"), format!("run_in_transaction = {in_a_transaction}")).unwrap();
    }
    let migrations = FileBasedMigrations::from_path(folder.path()).unwrap();
    (folder, migrations)
}

fn arena() -> Arena {
    let arena = Arena::new();
    arena.execute("CREATE TABLE busy (id integer PRIMARY KEY)");
    arena
}

/// A transaction that has read the table, as a long report does.
fn report(arena: &Arena) -> Conn {
    let mut conn = arena.connect();
    conn.batch_execute("BEGIN").unwrap();
    Kind::number(&mut conn, "SELECT count(*) FROM busy").unwrap();
    conn
}

fn limited() -> LockedMigrations {
    LockedMigrations::new().lock_timeout(LIMIT)
}

fn state(conn: &mut Conn) -> Vec<i64> {
    SESSION_STATE.iter().chain(&super::LOCK_LIMITS).map(|query| Kind::number(conn, query).unwrap()).collect()
}

fn exists(arena: &Arena, table: &str) -> bool {
    arena.number(&format!(
        "SELECT count(*) FROM information_schema.tables WHERE table_name = '{table}' AND {}",
        super::HERE
    )) == 1
}

fn has_note(arena: &Arena) -> bool {
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'busy' AND column_name = 'note'";
    arena.number(&format!("{columns} AND {}", super::HERE)) == 1
}

/// Whether the session waits for a table, or for those who use it.
fn waits(arena: &Arena, number: i32) -> bool {
    arena.number(&super::waits_for_a_table(number)) == 1
}

fn lock_error(done: Done) -> LockError {
    *done.unwrap_err().downcast().expect("an error of the crate")
}

/// The name of the migration that waited too long, and whether nothing of it is kept.
fn timed_out(error: &LockError) -> (&str, bool) {
    let LockError::TimedOut { attempt: Some(attempt), source: Some(_) } = error else { panic!("{error:?}") };
    (attempt.migration().expect("a migration"), attempt.rolled_back())
}

fn nothing_is_left(arena: &Arena) {
    let lock = AdvisoryLock::named("diesel_lockset").scope("migrations");
    assert!(!lock.is_held(&mut arena.connect()).unwrap());
}

#[test]
fn a_migration_gives_up_in_time_and_those_behind_it_go_on() {
    let arena = arena();
    let alter = ("2026-01-01-000002_altered", "ALTER TABLE busy ADD COLUMN note integer");
    let (_folder, migrations) = migrations(&[MADE, alter], true);
    let (mut report, mut conn) = (report(&arena), arena.connect());
    let (number, before) = (Kind::session_number(&mut conn), state(&mut conn));
    thread::scope(|scope| {
        let (conn, migrations) = (&mut conn, &migrations);
        let migrating = scope.spawn(move || limited().run(conn, migrations.clone()));
        until(|| waits(&arena, number).then_some(())).expect("the migration waits");
        // Behind the migration, until that gives up.
        assert_eq!(arena.number("SELECT count(*) FROM busy"), 0);
        let error = lock_error(migrating.join().unwrap());
        assert_eq!(timed_out(&error), ("2026-01-01-000002_altered", true));
        let text = error.to_string();
        assert!(text.contains("in the migration 2026-01-01-000002_altered: nothing of it is kept"), "{text}");
    });
    assert!(exists(&arena, "made") && !has_note(&arena));
    nothing_is_left(&arena);
    assert_eq!(state(&mut conn), before);
    report.batch_execute("COMMIT").unwrap();
    assert_eq!(limited().run(&mut conn, migrations).unwrap().len(), 1);
    assert!(has_note(&arena));
    assert_eq!(state(&mut conn), before);
}

#[test]
fn it_is_tried_again_until_the_lock_is_free() {
    let arena = arena();
    // A statement before it that changes nothing.
    let alter = ("2026-01-01-000002_altered", super::SETTING_AND_ALTER);
    let (_folder, migrations) = migrations(&[MADE, alter], true);
    let (mut report, mut conn) = (report(&arena), arena.connect());
    let number = Kind::session_number(&mut conn);
    let done = thread::scope(|scope| {
        let pauses = (Duration::from_millis(100), Duration::from_millis(200));
        let options = limited().retries(60).backoff(pauses.0, pauses.1);
        let conn = &mut conn;
        let migrating = scope.spawn(move || options.run(conn, migrations));
        for expected in [true, false, true] {
            until(|| (waits(&arena, number) == expected).then_some(())).expect("it waits, pauses, waits");
        }
        report.batch_execute("COMMIT").unwrap();
        migrating.join().unwrap()
    });
    assert_eq!(done.unwrap().len(), 2);
    assert!(has_note(&arena));
    assert_eq!(arena.number("SELECT count(*) FROM __diesel_schema_migrations WHERE version LIKE '20260101%'"), 2);
    nothing_is_left(&arena);
}

/// On servers that commit in the middle of it, it is not tried again.
#[test]
fn what_is_half_done_is_not_tried_again() {
    let commits = Kind::UNDOES_STATEMENTS;
    for script in super::TWO_STATEMENTS {
        let arena = arena();
        super::make_procedure(&arena);
        let (_folder, migrations) = migrations(&[("2026-01-01-000001_both", script)], true);
        let (_report, mut conn) = (report(&arena), arena.connect());
        let options = limited().retries(1).backoff(Duration::ZERO, Duration::ZERO);
        let error = lock_error(options.run(&mut conn, migrations));
        assert_eq!(exists(&arena, "half"), commits, "{script}");
        if commits {
            assert_eq!(timed_out(&error), ("2026-01-01-000001_both", false), "{script}");
            assert!(error.to_string().contains("the statements before it are committed"), "{error}");
        } else {
            let LockError::RetriesExhausted { tries: 2, nested: false, source, .. } = error else {
                panic!("{error:?}")
            };
            assert_eq!(timed_out(source.downcast_ref().unwrap()), ("2026-01-01-000001_both", true));
        }
        assert!(!has_note(&arena));
        nothing_is_left(&arena);
    }
}

/// What a migration has committed by itself is kept, also if the server's own limit ends a wait behind that.
#[test]
fn what_a_migration_has_committed_is_not_run_again() {
    for script in super::COMMITS_AND_WAITS {
        let arena = arena();
        arena.execute("CREATE TABLE half (n integer)");
        let (_folder, migrations) = migrations(&[("2026-01-01-000001_both", script)], true);
        let (mut writer, mut conn) = (super::writer(&arena), arena.connect());
        Kind::execute(&mut conn, super::OWN_LIMIT).unwrap();
        let before = state(&mut conn);
        let options = limited().retries(1).backoff(Duration::ZERO, Duration::ZERO);
        let error = lock_error(options.run(&mut conn, migrations));
        assert_eq!(arena.number(super::TIMES), 1, "{script}: {error:?}");
        assert_eq!(timed_out(&error), ("2026-01-01-000001_both", false), "{script}");
        assert_eq!(state(&mut conn), before, "{script}");
        nothing_is_left(&arena);
        writer.batch_execute("ROLLBACK").unwrap();
    }
}

#[test]
fn a_migration_without_a_transaction_is_not_limited() {
    let arena = arena();
    let (_folder, migrations) = migrations(&[("2026-01-01-000001_slow", super::WITHOUT_A_TRANSACTION)], false);
    let (mut report, mut conn) = (super::writer(&arena), arena.connect());
    let number = Kind::session_number(&mut conn);
    let done = thread::scope(|scope| {
        let options = LockedMigrations::new().lock_timeout(Duration::from_millis(50));
        let conn = &mut conn;
        let migrating = scope.spawn(move || options.run(conn, migrations));
        until(|| waits(&arena, number).then_some(())).expect("the migration waits");
        thread::sleep(LIMIT + LIMIT / 2);
        assert!(waits(&arena, number), "it still waits");
        report.batch_execute("COMMIT").unwrap();
        migrating.join().unwrap()
    });
    assert_eq!(done.unwrap().len(), 1);
    nothing_is_left(&arena);
}

#[test]
fn in_an_open_transaction_nothing_is_run() {
    let arena = arena();
    let (_folder, migrations) = migrations(&[MADE], true);
    let mut conn = arena.connect();
    let refused = conn.transaction(|conn| {
        let error = lock_error(limited().run(conn, migrations));
        assert!(matches!(error, LockError::Unsupported { .. }), "{error:?}");
        Ok::<_, LockError>(())
    });
    refused.unwrap();
    assert!(!exists(&arena, "made"));
}

#[test]
fn a_migration_over_an_asynchronous_connection_gives_up_in_time() {
    let (_runtime, arena) = (runtime().enter(), arena());
    let alter = ("2026-01-01-000001_altered", "ALTER TABLE busy ADD COLUMN note integer");
    let (_folder, migrations) = migrations(&[alter], true);
    let mut report = report(&arena);
    let run = |migrations| {
        block_on(async {
            let conn = AsyncConn::establish(arena.url()).await.unwrap();
            limited().run_async(conn, migrations).await
        })
    };
    assert_eq!(timed_out(&lock_error(run(migrations.clone()))), ("2026-01-01-000001_altered", true));
    report.batch_execute("COMMIT").unwrap();
    assert_eq!(run(migrations).unwrap().len(), 1);
    nothing_is_left(&arena);
}
