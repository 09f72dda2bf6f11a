//! Locking one instance, or the row of one key.

use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver};
use crate::{
    isolation::Play,
    support::{driver::Session, models::Account, probe::Held},
};

/// Account 1 as somebody loaded it long ago.
pub(crate) fn stale() -> Account {
    Account { id: 1, owner: "nobody".into(), balance: -1, v: -1 }
}

/// A01.
#[test]
fn lock_returns_the_row_and_holds_it_to_the_end_of_the_transaction() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for commit in [true, false] {
        session.begin().unwrap();
        assert_eq!(session.lock(&stale()).unwrap().balance, 10);
        assert_eq!(arena.probe("accounts", "id = 1"), Held::Held);
        if commit {
            session.commit().unwrap()
        } else {
            session.rollback().unwrap()
        }
        assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
    }
}

/// A01.
#[test]
fn lock_by_id_returns_the_row_and_holds_it() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let account = session.lock_by_id::<Account>(2).unwrap();
    assert_eq!(account, Account { id: 2, owner: "ben".into(), balance: 20, v: 0 });
    arena.assert_held("accounts", "id", &["2"]);
    session.rollback().unwrap();
    arena.assert_held("accounts", "id", &[""; 0]);
}

/// A02, A18.
#[test]
fn what_comes_back_is_the_row_as_it_is_now_and_the_copy_in_hand_is_left_alone() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let mut account = Account { id: 1, owner: "ada".into(), balance: 10, v: 0 };
    arena.execute("UPDATE accounts SET balance = 99 WHERE id = 1");
    account.owner = "edited in memory".into();
    let edited = account.clone();
    session.begin().unwrap();
    let fresh = session.lock(&account).unwrap();
    session.commit().unwrap();
    assert_eq!(fresh, Account { id: 1, owner: "ada".into(), balance: 99, v: 0 });
    assert_eq!(account, edited);
    assert_eq!(arena.text("SELECT owner FROM accounts WHERE id = 1").as_deref(), Some("ada"));
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 1"), 99);
}

/// A03.
#[test]
fn a_row_that_is_gone_is_named_and_the_transaction_goes_on() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    arena.execute("DELETE FROM accounts WHERE id = 1");
    session.begin().unwrap();
    session.execute("UPDATE accounts SET v = 1 WHERE id = 2").unwrap();
    for gone in [session.lock(&stale()), session.lock_by_id::<Account>(1)] {
        let Err(LockError::Missing { rows }) = gone else { panic!("{gone:?}") };
        assert_eq!(rows.iter().map(ToString::to_string).collect::<Vec<_>>(), ["Account 1"]);
        assert_eq!(rows[0].key().get(), Some(&1));
    }
    session.execute("UPDATE accounts SET v = 1 WHERE id = 3").unwrap();
    session.commit().unwrap();
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v = 1"), 2);
}

/// A05.
#[test]
fn plain_readers_are_not_blocked() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (locker, reader) = (play.session("locker"), play.session("reader"));
    locker.run("locks all and updates one", |s| {
        s.begin().unwrap();
        s.lock_set(LockSet::new().ids::<Account>(1..=5)).unwrap();
        s.execute("UPDATE accounts SET balance = 1000 WHERE id = 1").unwrap();
    });
    assert_eq!(arena.held_keys("accounts", "id").len(), 5);
    let sum = "SELECT sum(balance) FROM accounts";
    assert_eq!(reader.run("reads", move |s| s.number(sum)), Ok(75));
    locker.run("commits", |s| s.commit()).unwrap();
    assert_eq!(reader.run("reads again", move |s| s.number(sum)), Ok(1065));
}

/// A12.
#[test]
fn locking_a_row_again_returns_at_once() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    session.lock(&stale()).unwrap();
    session.execute("UPDATE accounts SET balance = 11 WHERE id = 1").unwrap();
    assert_eq!(session.lock(&stale()).unwrap().balance, 11);
    let locked = session.lock_set(LockSet::new().ids::<Account>([2, 1])).unwrap();
    assert_eq!(locked.id::<Account>(1).unwrap().balance, 11);
    session.begin().unwrap();
    assert_eq!(session.lock_by_id::<Account>(1).unwrap().balance, 11);
    arena.assert_held("accounts", "id", &["1", "2"]);
}

/// A16.
#[test]
fn what_this_transaction_inserted_updated_or_deleted_is_seen() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    session.execute("INSERT INTO accounts (id, owner, balance) VALUES (6, 'new', 60)").unwrap();
    session.execute("UPDATE accounts SET balance = 21 WHERE id = 2").unwrap();
    session.execute("DELETE FROM accounts WHERE id = 3").unwrap();
    let inserted = Account { id: 6, owner: "new".into(), balance: 60, v: 0 };
    assert_eq!(session.lock(&inserted).unwrap(), inserted);
    assert_eq!(session.lock_by_id::<Account>(2).unwrap().balance, 21);
    let deleted = session.lock_by_id::<Account>(3);
    assert!(matches!(deleted, Err(LockError::Missing { .. })), "{deleted:?}");
    session.rollback().unwrap();
    assert_eq!(arena.number("SELECT count(*) FROM accounts"), 5);
}
