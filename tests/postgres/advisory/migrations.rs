//! Processes that start at once and migrate an empty database, with the lock and without.

use std::{
    env,
    process::{Child, Command, Stdio},
    thread,
};

use diesel::{PgConnection, connection::SimpleConnection, migration::MigrationVersion};
use diesel_lockset::{AdvisoryLock, LockError, RunAdvisoryLock, run_pending_migrations_locked};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};

use crate::support::{arena::Arena, patience::until, postgres::Postgres, server::Server};

/// Tells a process of this test binary that it is one of many, and where its database is.
const STARTED: &str = "DIESEL_LOCKSET_MIGRATE";

const PROCESSES: usize = 20;

/// Each writes its name into a table without a key: one that runs twice is seen. The first one waits at a gate.
fn migrations() -> FileBasedMigrations {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres/advisory/migrations_at_once");
    FileBasedMigrations::from_path(folder).unwrap()
}

/// The fixtures make place for a database that is as new.
fn empty() -> Arena {
    let arena = Arena::new();
    arena.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    arena
}

/// Closes the gate for as long as the connection lives.
fn close_the_gate(arena: &Arena) -> PgConnection {
    let mut gate = arena.pg();
    gate.batch_execute("SELECT pg_advisory_lock(7)").unwrap();
    gate
}

fn at_the_gate(arena: &Arena) -> i64 {
    arena.number(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
}

/// Nothing, but in a process that was started for it.
#[test]
fn a_process_that_starts() {
    let Ok(url) = env::var(STARTED) else { return };
    let ran = run_pending_migrations_locked(&mut Postgres::connect(&url), migrations()).unwrap();
    println!("ran {}", ran.len());
}

/// Asks until it is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    until(|| is_so().then_some(())).unwrap_or_else(|| panic!("never: {what}"));
}

fn start(arena: &Arena) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "postgres::advisory::migrations::a_process_that_starts", "--nocapture"])
        .env(STARTED, arena.url())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn any_number_of_processes_can_start_at_once() {
    let arena = empty();
    let gate = close_the_gate(&arena);
    let processes: Vec<Child> = (0..PROCESSES).map(|_| start(&arena)).collect();
    // All are connected: one is in the first migration, the others wait for it.
    wait_until("all processes are at it", || {
        let connected = arena.number(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        connected > PROCESSES as i64 && at_the_gate(&arena) == 1
    });
    drop(gate);

    let mut ran = Vec::new();
    for process in processes {
        let output = process.wait_with_output().unwrap();
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}\n{complained}");
        ran.push(said.lines().find_map(|line| line.strip_prefix("ran ")).unwrap().to_owned());
    }
    ran.sort();
    assert_eq!(ran.pop().as_deref(), Some("3"), "one process has run all");
    assert!(ran.iter().all(|others| others == "0"), "and the others nothing: {ran:?}");
    let log = arena.text("SELECT string_agg(name, ' ' ORDER BY name) FROM ran");
    assert_eq!(log.as_deref(), Some("one three two"), "each once");
    assert_eq!(arena.number("SELECT count(*) FROM __diesel_schema_migrations"), 3);
    assert_eq!(arena.number("SELECT count(*) FROM pg_index WHERE indexrelid = 'ran_name'::regclass AND indisvalid"), 1);
}

/// What the lock is for: all look, all find the same migrations pending, and all run them.
#[test]
fn without_the_lock_all_but_one_fail() {
    let arena = empty();
    arena.pg().applied_migrations().unwrap(); // even if Diesel's own table is there already
    let gate = close_the_gate(&arena);
    let outcomes: Vec<Result<usize, String>> = thread::scope(|scope| {
        let starting: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut conn = arena.pg();
                    let ran = conn.run_pending_migrations(migrations()).map_err(|error| error.to_string())?;
                    Ok(ran.len())
                })
            })
            .collect();
        wait_until("all are in the first migration", || at_the_gate(&arena) == 3);
        drop(gate);
        starting.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let failed: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert_eq!(failed.len(), 2, "{outcomes:?}");
    for error in failed {
        // Which of the two depends on who is how far with the table.
        assert!(error.contains("duplicate key value") || error.contains("already exists"), "{error}");
    }
}

/// Why those who have to wait ask again and again: one who waits inside of the server is waited for by an index that is
/// created concurrently.
#[test]
fn who_waits_in_the_server_is_in_the_way_of_an_index() {
    let arena = empty();
    arena.execute("CREATE TABLE ran (name text)");
    let (mut one, mut other) = (arena.pg(), arena.pg());
    let outcomes: [Result<(), LockError>; 2] = thread::scope(|scope| {
        let mut waiting = None;
        let index = lock().hold_session(&mut one, |conn| {
            waiting = Some(scope.spawn(|| lock().hold_session(&mut other, |_| Ok(()))));
            let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = \
                         (SELECT oid FROM pg_database WHERE datname = current_database())";
            wait_until("the other waits", || arena.number(waits) == 1);
            Ok(conn.batch_execute("CREATE INDEX CONCURRENTLY ran_name ON ran (name)")?)
        });
        [index, waiting.unwrap().join().unwrap()]
    });
    let deadlocks = outcomes.iter().filter(|outcome| matches!(outcome, Err(LockError::Deadlock { .. }))).count();
    assert_eq!(deadlocks, 1, "{outcomes:?}");
}

#[test]
fn what_ran_is_returned_and_the_lock_is_released() {
    let arena = empty();
    let mut conn = arena.pg();
    let ran = run_pending_migrations_locked(&mut conn, migrations()).unwrap();
    assert_eq!(ran.iter().map(MigrationVersion::to_string).collect::<Vec<_>>(), ["001", "002", "003"]);
    assert_eq!(run_pending_migrations_locked(&mut conn, migrations()).unwrap(), []);
    assert!(!lock().is_held(&mut conn).unwrap());
    assert_eq!((lock().name().text(), lock().name().key()), ("|diesel_lockset|migrations", -6_204_181_031_774_952_724));
}

#[test]
fn a_migration_that_fails_releases_the_lock() {
    let arena = empty();
    arena.execute("CREATE TABLE ran (name text)");
    let mut conn = arena.pg();
    let error = run_pending_migrations_locked(&mut conn, migrations()).unwrap_err();
    assert!(error.to_string().contains("already exists"), "{error}");
    assert!(!lock().is_held(&mut conn).unwrap());
    arena.execute("DROP TABLE ran");
    assert_eq!(run_pending_migrations_locked(&mut conn, migrations()).unwrap().len(), 3);
}

/// The third migration cannot run in a transaction; the others can, and are undone with it.
#[test]
fn in_a_transaction_the_lock_stays_until_it_ends() {
    let arena = empty();
    arena.execute("CREATE TABLE __diesel_schema_migrations (version text PRIMARY KEY, run_on timestamp DEFAULT now())");
    arena.execute("INSERT INTO __diesel_schema_migrations VALUES ('003')");
    let (mut conn, mut other) = (arena.pg(), arena.pg());
    let undone = diesel::Connection::transaction(&mut conn, |conn| {
        assert_eq!(run_pending_migrations_locked(conn, migrations()).unwrap().len(), 2);
        assert!(lock().is_held(&mut other).unwrap());
        Err::<(), _>(LockError::NotInTransaction)
    });
    assert!(undone.is_err());
    assert!(!lock().is_held(&mut other).unwrap());
    assert_eq!(arena.text("SELECT to_regclass('ran')"), None);
}

fn lock() -> AdvisoryLock {
    AdvisoryLock::named("diesel_lockset").scope("migrations")
}
