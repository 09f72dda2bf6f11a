//! Processes that start at once and migrate an empty database, with the lock and without.

use std::{
    env,
    process::{Child, Command, Stdio},
    thread,
};

use diesel::{Connection, MysqlConnection, connection::SimpleConnection, migration::MigrationVersion};
use diesel_lockset::{AdvisoryLock, LockError, RunAdvisoryLock, run_pending_migrations_locked};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};

use super::Arena;
use crate::support::{
    mysql::{MysqlFamily, SESSIONS},
    patience::until,
    server::Server,
};

/// Tells a process of this test binary that it is one of many, and where its database is.
const STARTED: &str = "DIESEL_LOCKSET_MIGRATE_MYSQL";

const PROCESSES: usize = 20;

/// Each writes its name into a table without a key: one that runs twice is seen. The first one waits at a gate.
fn migrations() -> FileBasedMigrations {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mysql/advisory/migrations_at_once");
    FileBasedMigrations::from_path(folder).unwrap()
}

/// A database that is as new, but for the gate.
fn empty() -> Arena {
    let arena = Arena::new();
    let (name, gate) =
        (arena.name(), "CREATE TABLE gate (id integer PRIMARY KEY) ENGINE = InnoDB; INSERT INTO gate VALUES (1)");
    arena.admin().batch_execute(&format!("DROP DATABASE {name}; CREATE DATABASE {name}; USE {name}; {gate}")).unwrap();
    arena
}

/// Closes the gate for as long as the connection lives.
fn close_the_gate(arena: &Arena) -> MysqlConnection {
    let mut gate = arena.connect();
    gate.batch_execute("BEGIN; SELECT id FROM gate FOR UPDATE").unwrap();
    gate
}

fn at_the_gate(arena: &Arena) -> i64 {
    arena.number(&format!(
        "SELECT count(*) FROM {SESSIONS} WHERE db = DATABASE() AND id <> CONNECTION_ID() \
         AND info LIKE '%UPDATE gate SET%'"
    ))
}

/// Nothing, but in a process that was started for it.
#[test]
fn a_process_that_starts_on_mysql() {
    let Ok(url) = env::var(STARTED) else { return };
    let ran = run_pending_migrations_locked(&mut MysqlFamily::connect(&url), migrations()).unwrap();
    println!("ran {}", ran.len());
}

/// Asks until it is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    until(|| is_so().then_some(())).unwrap_or_else(|| panic!("never: {what}"));
}

fn start(arena: &Arena) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "mysql::advisory::migrations::a_process_that_starts_on_mysql", "--nocapture"])
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
        let connected = arena.number(&format!("SELECT count(*) FROM {SESSIONS} WHERE db = DATABASE()"));
        // The gate and this question are two more.
        connected == PROCESSES as i64 + 2 && at_the_gate(&arena) == 1
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
    let log = arena.text("SELECT GROUP_CONCAT(name ORDER BY name SEPARATOR ' ') FROM ran");
    assert_eq!(log.as_deref(), Some("one three two"), "each once");
    assert_eq!(arena.number("SELECT count(*) FROM __diesel_schema_migrations"), 3);
}

/// What the lock is for: all look, all find the same migrations pending, and all run them.
#[test]
fn without_the_lock_all_but_one_fail() {
    let arena = empty();
    arena.connect().applied_migrations().unwrap(); // even if Diesel's own table is there already
    let gate = close_the_gate(&arena);
    let outcomes: Vec<Result<usize, String>> = thread::scope(|scope| {
        let starting: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut conn = arena.connect();
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
        assert!(error.contains("already exists"), "{error}");
    }
}

#[test]
fn what_ran_is_returned_and_the_lock_is_released() {
    let arena = empty();
    let mut conn = arena.connect();
    let ran = run_pending_migrations_locked(&mut conn, migrations()).unwrap();
    assert_eq!(ran.iter().map(MigrationVersion::to_string).collect::<Vec<_>>(), ["001", "002", "003"]);
    assert_eq!(run_pending_migrations_locked(&mut conn, migrations()).unwrap(), []);
    assert!(!lock().is_held(&mut conn).unwrap());
}

/// The server commits what a migration does to tables as it goes: what failed half-way stays half-way.
#[test]
fn a_migration_that_fails_releases_the_lock() {
    let arena = empty();
    arena.execute("CREATE TABLE ran (name text)");
    let mut conn = arena.connect();
    let error = run_pending_migrations_locked(&mut conn, migrations()).unwrap_err();
    assert!(error.to_string().contains("already exists"), "{error}");
    assert!(!lock().is_held(&mut conn).unwrap());
    arena.execute("DROP TABLE ran");
    assert_eq!(run_pending_migrations_locked(&mut conn, migrations()).unwrap().len(), 3);
}

/// A migration would commit it.
#[test]
fn in_a_transaction_nothing_is_run() {
    let arena = empty();
    let mut conn = arena.connect();
    let refused = conn.transaction(|conn| {
        let error = run_pending_migrations_locked(conn, migrations()).unwrap_err();
        let error = error.downcast::<LockError>().expect("ours");
        assert!(matches!(*error, LockError::Unsupported { .. }), "{error:?}");
        Ok::<_, LockError>(())
    });
    refused.unwrap();
    assert_eq!(arena.number("SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE()"), 1);
}

fn lock() -> AdvisoryLock {
    AdvisoryLock::named("diesel_lockset").scope("migrations")
}
