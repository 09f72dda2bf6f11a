//! A connection that was lost between two calls: whatever comes next says that it is lost.

use diesel_lockset::{LockError, LockSet, LockTransaction};

use super::{
    Arena, Driver,
    verbs::{RunLockSet, RunLockTransaction},
};
use crate::support::{driver::Session, models::Account, server::Observer};

/// A session that was ended by an administrator after it did this.
fn lost(arena: &Arena, first: fn(&mut Driver)) -> Driver {
    let mut session = Driver::connect(arena.url());
    first(&mut session);
    arena.connect().terminate(session.pid());
    session
}

fn transaction(s: &mut Driver) -> LockError {
    LockTransaction::new().run(s.conn(), |conn| LockSet::new().id::<Account>(1).lock(conn)).unwrap_err()
}

fn with_lock(s: &mut Driver) -> LockError {
    let account = Account { id: 1, owner: String::new(), balance: 0, v: 0 };
    s.with_lock(&account, |_, _| Ok::<_, LockError>(())).unwrap_err()
}

fn statement(s: &mut Driver) -> LockError {
    s.execute("SELECT 1").unwrap_err().into()
}

fn lock(s: &mut Driver) -> LockError {
    s.lock_by_id::<Account>(1).unwrap_err()
}

fn rollback(s: &mut Driver) -> LockError {
    s.rollback().unwrap_err().into()
}

type Calls = &'static [fn(&mut Driver) -> LockError];

/// Each of these calls says that the connection is lost.
#[track_caller]
fn all_say_so(name: &str, session: &mut Driver, calls: Calls) {
    let said: Vec<_> = calls.iter().map(|call| call(session)).collect();
    assert!(said.iter().all(|error| matches!(error, LockError::ConnectionLost(_))), "{name}: {said:#?}");
    assert!(said.iter().all(LockError::transaction_is_lost));
}

/// P08.
#[test]
fn outside_of_a_transaction_every_later_call_says_so() {
    let arena = Arena::new();
    let cases: [(&str, Calls); 3] = [
        ("transaction", &[transaction, transaction, with_lock]),
        ("with_lock", &[with_lock, with_lock, transaction]),
        ("statement", &[statement, statement, transaction]),
    ];
    for (name, calls) in cases {
        all_say_so(name, &mut lost(&arena, |_| {}), calls);
    }
}

/// P08.
#[test]
fn inside_of_a_transaction_every_later_call_says_so() {
    let arena = Arena::new();
    let cases: [(&str, Calls); 3] = [
        ("lock", &[lock, lock, statement, rollback]),
        ("statement", &[statement, lock, transaction, with_lock]),
        ("rollback", &[rollback, transaction, with_lock]),
    ];
    for (name, calls) in cases {
        all_say_so(name, &mut lost(&arena, |s| s.begin().unwrap()), calls);
    }
}

/// P05, P08.
#[test]
fn what_is_retried_over_a_lost_connection_says_so() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let pid = session.pid();
    let mut tries = 0;
    let error = LockTransaction::new().run(session.conn(), |_| {
        tries += 1;
        arena.connect().terminate(pid);
        Err::<(), _>(LockError::LimitedRowsChanged { table: "accounts".to_owned() })
    });
    assert!(matches!(error, Err(LockError::ConnectionLost(_))), "{error:?}");
    assert_eq!(tries, 1);
}
