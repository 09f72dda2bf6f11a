//! Waits that somebody ends: a statement timeout, an administrator.

use diesel_lockset::LockError;

use crate::{
    isolation::{Actor, Pending, Play},
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::Account,
    },
};

/// Account 1 is held by `holder`, and `waiter` waits for it.
fn waits(holder: &Actor<Blocking>, waiter: &Actor<Blocking>, timeout: &'static str) -> Pending<LockError> {
    holder.run("locks", |s| s.begin().map(|()| s.lock_by_id::<Account>(1))).unwrap().unwrap();
    waiter.start("locks too", move |s| {
        s.execute(&format!("SET statement_timeout = '{timeout}'")).unwrap();
        s.begin().unwrap();
        s.lock_by_id::<Account>(1).unwrap_err()
    })
}

/// What is left after a wait that did not end well: the waiter goes on, the holder did not notice.
fn both_go_on(holder: &Actor<Blocking>, waiter: &Actor<Blocking>) {
    waiter.run("rolls back and goes on", |s| {
        s.execute("SELECT 1").expect_err("the transaction is lost");
        s.rollback().unwrap();
        s.begin().unwrap();
        s.lock_by_id::<Account>(2).unwrap();
    });
    holder.run("commits", |s| s.execute("UPDATE accounts SET v = 1 WHERE id = 1").and_then(|_| s.commit())).unwrap();
    waiter.run("locks at last", |s| s.lock_by_id::<Account>(1)).unwrap();
}

/// G09, P08.
#[test]
fn a_statement_timeout_is_no_lock_error() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (holder, waiter) = (play.session("holder"), play.session("waiter"));
    let error = waits(&holder, &waiter, "300ms").join();
    assert!(matches!(error, LockError::Canceled { .. }), "{error:?}");
    assert!(format!("{error:?}").contains("canceling statement due to statement timeout"), "{error:?}");
    assert!(error.transaction_is_lost() && !error.is_retryable());
    both_go_on(&holder, &waiter);
}

/// G12, P08.
#[test]
fn a_wait_cancelled_by_an_administrator_is_no_lock_error() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (holder, waiter) = (play.session("holder"), play.session("waiter"));
    let waiting = waits(&holder, &waiter, "0");
    waiting.blocked_by(&holder);
    arena.execute(&format!("SELECT pg_cancel_backend({})", waiter.pid()));
    let error = waiting.join();
    assert!(matches!(error, LockError::Canceled { .. }), "{error:?}");
    assert!(format!("{error:?}").contains("canceling statement due to user request"), "{error:?}");
    assert!(error.transaction_is_lost() && !error.is_retryable());
    both_go_on(&holder, &waiter);
}
