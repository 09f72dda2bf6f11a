//! A lock that is taken inside of a transaction that this crate has begun: nobody else gets it before that is committed.

use diesel_lockset::{AdvisoryLock, LockError, LockTransaction};

use super::{
    Arena, Driver, account, free, nothing,
    verbs::{LockDsl, RunAdvisoryLock, RunLockTransaction},
};
use crate::support::{driver::Session, models::Account};

/// What the closure of a transaction does with locks, seen by another session.
fn hold_some(conn: &mut <Driver as Session>::Conn, other: &mut Driver) -> Result<(), LockError> {
    account(1).hold(conn, nothing)?;
    assert_eq!(account(2).try_hold(conn, nothing)?, Some(()));
    account(1).hold(conn, |conn| account(4).hold(conn, nothing))?;
    let failed = account(3).hold(conn, |conn| {
        Driver::execute_on(conn, "INSERT INTO parents VALUES (9, 'nine')")?;
        Err::<(), _>(LockError::NotInTransaction)
    });
    assert!(matches!(failed, Err(LockError::NotInTransaction)));
    assert!(free(other, account(3)), "its work is undone");
    for id in [1, 2, 4] {
        assert!(!free(other, account(id)), "{id}");
    }
    Ok(())
}

fn all_are_free(arena: &Arena, other: &mut Driver) {
    for id in 1..=4 {
        assert!(free(other, account(id)), "{id}");
    }
    assert_eq!(arena.number("SELECT count(*) FROM parents WHERE id = 9"), 0);
}

/// K09.
#[test]
fn a_hold_in_a_hold_lasts_until_the_outer_one_ends() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    AdvisoryLock::named("outer").hold(one.conn(), |conn| hold_some(conn, &mut two)).unwrap();
    all_are_free(&arena, &mut two);
    let failed = AdvisoryLock::named("outer").hold(one.conn(), |conn| {
        hold_some(conn, &mut two)?;
        Err::<(), _>(LockError::NotInTransaction)
    });
    assert!(failed.is_err());
    all_are_free(&arena, &mut two);
}

#[test]
fn in_a_lock_transaction_and_in_with_lock_it_lasts_until_they_end() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    LockTransaction::new().run(one.conn(), |conn| hold_some(conn, &mut two)).unwrap();
    all_are_free(&arena, &mut two);
    let ada = Account { id: 1, owner: "ada".to_owned(), balance: 0, v: 0 };
    ada.with_lock(one.conn(), |_, conn| hold_some(conn, &mut two)).unwrap();
    all_are_free(&arena, &mut two);
}

/// K08.
#[test]
fn a_panic_releases_what_was_to_last_too() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        AdvisoryLock::named("outer").hold(one.conn(), |conn| -> Result<(), LockError> {
            hold_some(conn, &mut two)?;
            account(3).hold(conn, |_| panic!("on purpose"))
        })
    }));
    assert!(panicked.is_err());
    all_are_free(&arena, &mut two);
    assert!(free(&mut two, AdvisoryLock::named("outer")));
}

/// K02.
#[test]
fn a_guard_in_a_transaction_lasts_as_long_as_the_guard() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    for commit in [true, false] {
        one.begin().unwrap();
        account(1).hold_session(one.conn(), nothing).unwrap();
        assert!(free(&mut two, account(1)), "before the commit");
        std::mem::forget(account(1).acquire(one.conn()).unwrap());
        if commit { one.commit() } else { one.rollback() }.unwrap();
        assert!(!free(&mut two, account(1)));
        let again = account(1).acquire(one.conn()).unwrap();
        assert!(again.release());
        assert!(!free(&mut two, account(1)), "taken twice");
        one.execute(<<Driver as Session>::Server as crate::support::server::Server>::RELEASE_ALL).unwrap();
        assert!(free(&mut two, account(1)));
    }
}
