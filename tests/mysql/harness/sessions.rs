//! Sessions through both drivers.

use super::Arena;
use crate::support::driver::{MysqlBlocking, MysqlPooled, Session};

fn nests<S: Session>(arena: &Arena) {
    let mut session = S::connect(arena.url());
    let balance = "SELECT balance FROM accounts WHERE id = 1";
    session.begin().expect("begins");
    session.execute("UPDATE accounts SET balance = 11 WHERE id = 1").expect("updates");
    session.begin().expect("nests");
    session.execute("UPDATE accounts SET balance = 12 WHERE id = 1").expect("updates");
    assert_eq!(session.number(balance), Ok(12));
    session.rollback().expect("rolls the nested one back");
    assert_eq!(session.number(balance), Ok(11));
    assert_eq!(arena.number(balance), 10);
    session.commit().expect("commits");
    assert_eq!(arena.number(balance), 11);
    arena.execute("UPDATE accounts SET balance = 10 WHERE id = 1");
}

fn takes_characteristics<S: Session>(arena: &Arena) {
    let mut session = S::connect(arena.url());
    for (level, count) in [("REPEATABLE READ", 5), ("READ COMMITTED", 4)] {
        session.begin_as(&format!("ISOLATION LEVEL {level}")).expect("begins");
        assert_eq!(session.number("SELECT count(*) FROM accounts"), Ok(5));
        arena.execute("DELETE FROM accounts WHERE id = 5");
        assert_eq!(session.number("SELECT count(*) FROM accounts"), Ok(count), "{level}");
        session.rollback().expect("rolls back");
        arena.execute("INSERT INTO accounts (id, owner, balance) VALUES (5, 'eve', 0)");
    }
    session.begin_as("READ ONLY").expect("begins");
    session.execute("DELETE FROM accounts").expect_err("read only");
    session.rollback().expect("rolls back");
    session.execute("UPDATE accounts SET v = 0").expect("read only no more");
}

fn counts<S: Session>(arena: &Arena) {
    let mut session = S::connect(arena.url());
    assert_eq!(session.execute("UPDATE accounts SET v = v WHERE id < 3"), Ok(2));
    assert_eq!(session.execute("SELECT id, owner FROM accounts FOR UPDATE"), Ok(5));
    assert_eq!(session.execute("SELECT id FROM accounts WHERE id = 99"), Ok(0));
    let number = i64::from(session.pid());
    assert_eq!(session.number("SELECT connection_id()"), Ok(number));
}

fn hears<S: Session>(arena: &Arena) {
    let mut session = S::connect(arena.url());
    let sent = session.overhear();
    session.begin().expect("begins");
    session.execute("SELECT 1").expect("selects");
    session.rollback().expect("rolls back");
    assert_eq!(sent.take(), ["BEGIN", "SELECT 1 -- binds: []", "ROLLBACK"]);
}

fn every_driver(test: [fn(&Arena); 2]) {
    let arena = Arena::new();
    test.iter().for_each(|test| test(&arena));
}

#[test]
fn transactions_nest() {
    every_driver([nests::<MysqlBlocking>, nests::<MysqlPooled>]);
}

#[test]
fn characteristics_hold_for_the_next_transaction_only() {
    every_driver([takes_characteristics::<MysqlBlocking>, takes_characteristics::<MysqlPooled>]);
}

#[test]
fn rows_are_counted_changed_or_selected() {
    every_driver([counts::<MysqlBlocking>, counts::<MysqlPooled>]);
}

#[test]
fn everything_that_is_sent_is_heard() {
    every_driver([hears::<MysqlBlocking>, hears::<MysqlPooled>]);
}
