//! The order over several sets of one transaction: watched, and refused if asked for.

use std::time::Duration;

use diesel_lockset::{LockError, LockSet, LockTransaction};

use super::{Arena, Conn, Driver, lock, moved, run, run_on, verbs::RunLockSet};
use crate::support::{
    driver::Session,
    models::{Account, Order},
};

type Then = fn(&mut Conn) -> Result<(), LockError>;

fn orders(conn: &mut Conn, ids: &[i64]) -> Result<(), LockError> {
    LockSet::new().ids::<Order>(ids.iter().copied()).lock(conn).map(drop)
}

pub(super) fn accounts(conn: &mut Conn, ids: &[i32]) -> Result<(), LockError> {
    lock(conn, ids).map(drop)
}

pub(super) fn refusing() -> LockTransaction {
    LockTransaction::new().backoff(Duration::from_millis(1), Duration::from_millis(1)).deny_out_of_order()
}

/// H03.
#[test]
fn going_back_is_refused_where_that_is_asked_for() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let cases: [(Then, &str, &str); 4] = [
        (|c| orders(c, &[1]).and_then(|()| accounts(c, &[1])), "Order 1", "accounts"),
        (|c| accounts(c, &[3]).and_then(|()| accounts(c, &[1])), "Account 3", "Account 1"),
        (|c| accounts(c, &[4, 2]).and_then(|()| accounts(c, &[5, 3])), "Account 4", "Account 3"),
        (|c| accounts(c, &[3]).and_then(|()| run_on(c, refusing(), |c| accounts(c, &[1]))), "Account 3", "Account 1"),
    ];
    for (then, after, back_to) in cases {
        let mut tries = 0;
        let error = run(&mut session, refusing(), |conn| {
            tries += 1;
            then(conn)
        });
        let Err(LockError::OutOfOrder { after: was, back_to: is }) = &error else { panic!("{back_to}: {error:?}") };
        assert!(was.contains(after) && is.contains(back_to), "{error:?}");
        assert_eq!(tries, 1);
        arena.assert_held("accounts", "id", &[""; 0]);
    }
}

/// H03.
#[test]
fn going_back_is_no_error_unless_that_is_asked_for() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let done = run(&mut session, LockTransaction::new(), |conn| {
        orders(conn, &[2, 1])?;
        accounts(conn, &[3])?;
        accounts(conn, &[1])?;
        arena.assert_held("accounts", "id", &["1", "3"]);
        Ok::<_, LockError>(())
    });
    assert!(done.is_ok(), "{done:?}");
}

#[test]
fn what_is_held_already_can_be_locked_again() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let cases: [Then; 3] = [
        |c| accounts(c, &[1, 3]).and_then(|()| accounts(c, &[1])),
        |c| accounts(c, &[1, 3]).and_then(|()| orders(c, &[2])).and_then(|()| accounts(c, &[3, 1])),
        |c| accounts(c, &[1, 3]).and_then(|()| accounts(c, &[1, 4])).and_then(|()| accounts(c, &[3])),
    ];
    for then in cases {
        let done = run(&mut session, refusing(), then);
        assert!(done.is_ok(), "{done:?}");
    }
    let new = run(&mut session, refusing(), |c| accounts(c, &[1, 3]).and_then(|()| accounts(c, &[1, 2])));
    let Err(LockError::OutOfOrder { back_to, .. }) = new else { panic!("{new:?}") };
    assert!(back_to.contains("Account 2"), "{back_to}");
}

/// H03.
#[test]
fn going_on_is_never_refused() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let cases: [Then; 4] = [
        |c| accounts(c, &[1]).and_then(|()| accounts(c, &[2, 3])).and_then(|()| orders(c, &[1])),
        |c| accounts(c, &[3, 1]).and_then(|()| accounts(c, &[3])).and_then(|()| accounts(c, &[4])),
        |c| accounts(c, &[]).and_then(|()| orders(c, &[])).and_then(|()| accounts(c, &[1])),
        |c| {
            // One set is in order however it was put together.
            LockSet::new().id::<Order>(1).ids::<Account>([5, 1]).id::<Order>(2).lock(c).map(drop)
        },
    ];
    for (number, then) in cases.into_iter().enumerate() {
        let done = run(&mut session, refusing(), then);
        assert!(done.is_ok(), "{number}: {done:?}");
    }
}

/// H03, P05.
#[test]
fn every_try_and_every_transaction_begins_its_order_anew() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for _ in 0..2 {
        let mut tries = 0;
        let done = run(&mut session, refusing(), |conn| {
            tries += 1;
            accounts(conn, &[1])?;
            orders(conn, &[1])?;
            if tries < 3 { Err(moved()) } else { Ok(()) }
        });
        assert!(done.is_ok(), "{done:?}");
    }
}
