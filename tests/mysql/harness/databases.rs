//! A database for each test.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::connection::SimpleConnection;
use diesel_migrations::MigrationHarness;

use super::Arena;
use crate::support::{mysql::databases::migrations, server::numbers};

fn exists(name: &str) -> bool {
    let there = format!("SELECT count(*) FROM information_schema.schemata WHERE schema_name = '{name}'");
    Arena::new().number(&there) == 1
}

#[test]
fn every_arena_starts_from_the_fixtures() {
    let (one, other) = (Arena::new(), Arena::new());
    one.analyze("accounts");
    one.execute("UPDATE accounts SET balance = 99 WHERE id = 1; DELETE FROM accounts WHERE id = 2");
    assert_eq!(one.number("SELECT balance FROM accounts WHERE id = 1"), 99);
    assert_eq!(other.number("SELECT balance FROM accounts WHERE id = 1"), 10);
    assert_eq!(other.text("SELECT owner FROM accounts WHERE id = 2").as_deref(), Some("ben"));
    assert_eq!(one.text("SELECT owner FROM accounts WHERE id = 2"), None);
    assert_eq!(one.text("SELECT name FROM tags WHERE name LIKE '_pfel'").as_deref(), Some("Äpfel"));
}

#[test]
fn every_table_is_transactional_and_compares_byte_by_byte() {
    let arena = Arena::new();
    let others = "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() \
                  AND table_name <> '__diesel_schema_migrations' \
                  AND NOT (engine = 'InnoDB' AND table_collation = 'utf8mb4_bin')";
    assert_eq!(arena.number(others), 0);
    assert_eq!(arena.number("SELECT count(*) FROM tags WHERE name = 'APPLE'"), 0);
    arena.execute("CREATE TABLE mine (name varchar(10) PRIMARY KEY); INSERT INTO mine VALUES ('a'), ('A')");
}

#[test]
fn statements_after_one_that_fails_are_not_silently_lost() {
    let arena = Arena::new();
    let outcome = arena.connect().batch_execute("SELECT 1; DELETE FROM no_such_table; DELETE FROM accounts");
    outcome.expect_err("no such table");
    assert_eq!(arena.number("SELECT count(*) FROM accounts"), 5);
}

#[test]
fn it_is_dropped_on_success_although_somebody_is_still_in_a_transaction() {
    let arena = Arena::new();
    let name = arena.name().to_owned();
    let mut straggler = arena.connect();
    straggler.batch_execute("BEGIN; SELECT * FROM accounts").expect("reads");
    assert!(exists(&name));
    drop(arena);
    assert!(!exists(&name));
}

#[test]
fn it_is_kept_on_panic() {
    let arena = Arena::new();
    let mut maintenance = arena.admin();
    let name = arena.name().to_owned();
    let _ = catch_unwind(AssertUnwindSafe(move || {
        let _in_the_failing_test = arena;
        panic!("on purpose");
    }));
    assert!(exists(&name));
    maintenance.batch_execute(&format!("DROP DATABASE {name}")).expect("nobody is in it");
}

#[test]
fn the_migrations_can_be_undone_and_done_again() {
    let arena = Arena::new();
    let mut conn = arena.connect();
    let undone = conn.revert_all_migrations(migrations()).expect("down.sql works").len();
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = database()";
    assert_eq!(arena.number(tables), 1);
    let done = conn.run_pending_migrations(migrations()).expect("up.sql works").len();
    assert_eq!(undone, done);
}

#[test]
fn numbers_are_counted_up_as_on_every_server() {
    let arena = Arena::new();
    for (first, last) in [(1, 1), (11, 20), (1, 400), (7, 12_345)] {
        let all = numbers(first, last);
        let count = arena.number(&format!("SELECT count(DISTINCT n) FROM {all}"));
        let sum = arena.number(&format!("SELECT sum(n) FROM {all}"));
        assert_eq!((count, sum), (last - first + 1, (first..=last).sum()));
    }
}
