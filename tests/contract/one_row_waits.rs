//! A row that somebody else holds: who waits, and what he sees afterwards.

use diesel_lockset::LockError;

use super::{Arena, Driver, one_row::stale};
use crate::{
    isolation::{Actor, Pending, Play},
    support::{driver::Session, models::Account, probe::Held},
};

/// `first` locks account 1, `second` waits for it.
fn one_behind_the_other(first: &Actor<Driver>, second: &Actor<Driver>) -> Pending<Result<Account, LockError>> {
    first.run("locks", |s| {
        s.begin().unwrap();
        s.lock(&stale()).unwrap()
    });
    second.run("reads without a lock", |s| {
        assert_eq!(s.number("SELECT balance FROM accounts WHERE id = 1"), Ok(10));
        s.begin().unwrap();
    });
    let waiting = second.start("locks too", |s| s.lock(&stale()));
    waiting.blocked_by(first);
    waiting
}

/// A02, A19.
#[test]
fn a_second_locker_waits_and_then_sees_the_first_ones_result() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (first, second) = (play.session("first"), play.session("second"));
    let waiting = one_behind_the_other(&first, &second);
    first.run("changes and commits", |s| {
        s.execute("UPDATE accounts SET owner = 'x' WHERE id = 1").unwrap();
        s.commit().unwrap();
    });
    assert_eq!(waiting.join().unwrap().owner, "x");
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Held);
}

/// A20.
#[test]
fn the_holder_rolls_back_and_the_waiter_gets_the_original_row() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (first, second) = (play.session("first"), play.session("second"));
    let waiting = one_behind_the_other(&first, &second);
    first.run("changes and rolls back", |s| {
        s.execute("UPDATE accounts SET owner = 'x' WHERE id = 1").unwrap();
        s.rollback().unwrap();
    });
    assert_eq!(waiting.join().unwrap(), Account { id: 1, owner: "ada".into(), balance: 10, v: 0 });
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Held);
}

/// A21, P05.
#[test]
fn the_holders_connection_dies_and_the_waiter_goes_on() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (first, second) = (play.session("first"), play.session("second"));
    let waiting = one_behind_the_other(&first, &second);
    first.kill();
    assert_eq!(waiting.join().unwrap().balance, 10);
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Held);
    let error = first.run("goes on", |s| s.lock_by_id::<Account>(2)).unwrap_err();
    assert!(matches!(error, LockError::ConnectionLost(_)), "{error:?}");
    assert!(error.transaction_is_lost() && !error.is_retryable(), "{error:?}");
}

/// A21, P05.
#[test]
fn on_a_lost_connection_every_call_says_that_the_transaction_is_lost() {
    let arena = Arena::new();
    for statement_is_known in [false, true] {
        let play = Play::<Driver>::new(&arena);
        let session = play.session("session");
        session.run("begins", move |s| {
            s.begin().unwrap();
            if statement_is_known {
                s.lock(&stale()).unwrap();
            }
        });
        session.kill();
        for call in ["locks", "locks again", "and again"] {
            let error = session.run(call, |s| s.lock(&stale())).unwrap_err();
            assert!(error.transaction_is_lost(), "{call}, statement known: {statement_is_known}: {error:?}");
            assert!(!error.is_retryable(), "{error:?}");
        }
    }
}

/// A21, P08.
#[test]
fn the_waiters_connection_dies_and_the_holder_is_undisturbed() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (first, second) = (play.session("first"), play.session("second"));
    let waiting = one_behind_the_other(&first, &second);
    second.kill();
    let error = waiting.join().unwrap_err();
    assert!(matches!(error, LockError::ConnectionLost(_)), "{error:?}");
    first.run("changes and commits", |s| {
        s.execute("UPDATE accounts SET owner = 'x' WHERE id = 1").unwrap();
        s.commit().unwrap();
    });
    assert_eq!(arena.text("SELECT owner FROM accounts WHERE id = 1").as_deref(), Some("x"));
}

/// A25.
#[test]
fn a_plain_update_waits_for_the_lock_and_neither_change_is_lost() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (first, second) = (play.session("first"), play.session("second"));
    first.run("locks and sets the balance", |s| {
        s.begin().unwrap();
        s.lock(&stale()).unwrap();
        s.execute("UPDATE accounts SET balance = 11 WHERE id = 1").unwrap();
    });
    let waiting = second.start("renames", |s| s.execute("UPDATE accounts SET owner = 'x' WHERE id = 1"));
    waiting.blocked_by(&first);
    first.run("commits", |s| s.commit()).unwrap();
    assert_eq!(waiting.join(), Ok(1));
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE id = 1 AND owner = 'x' AND balance = 11"), 1);
}
