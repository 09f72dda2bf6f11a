//! Circles of waiting sessions, with advisory locks in them.

use diesel_lockset::{AdvisoryLock, LockError, RunAdvisoryLock};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::Account,
    },
};

fn account(id: i32) -> AdvisoryLock {
    AdvisoryLock::id::<Account>(id)
}

/// L09.
#[test]
fn two_sessions_crosswise_are_a_deadlock_that_names_the_lock() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    one.run("locks 1", |s| std::mem::forget(account(1).acquire(s.conn()).unwrap()));
    two.run("locks 2", |s| std::mem::forget(account(2).acquire(s.conn()).unwrap()));
    let wants = |id| move |s: &mut Blocking| account(id).hold_session(s.conn(), |_| Ok::<_, LockError>(()));
    let first = one.start("locks 2", wants(2));
    first.blocked_by(&two);
    let second = two.start("locks 1", wants(1));
    // Whoever is the victim, the other one goes on when the victim's session ends.
    let (victim, lock) = loop {
        if first.has_ended() {
            break (first.join(), "Account|2");
        }
        if second.has_ended() {
            break (second.join(), "Account|1");
        }
        std::thread::yield_now();
    };
    let LockError::Deadlock { attempt: Some(attempt), .. } = victim.unwrap_err() else { panic!("no deadlock") };
    assert_eq!(attempt.advisory_lock(), Some(lock));
}

/// L11.
#[test]
fn a_row_and_a_name_can_make_a_circle_too() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    one.run("locks the row", |s| {
        s.begin().unwrap();
        s.lock_by_id::<Account>(1).unwrap();
    });
    two.run("locks the name", |s| {
        s.begin().unwrap();
        account(13).acquire_for_transaction(s.conn()).unwrap();
    });
    let end = |s: &mut Blocking, outcome: Result<(), LockError>| {
        let _ = s.rollback();
        outcome
    };
    let name = one.start("locks the name", move |s| {
        let outcome = account(13).acquire_for_transaction(s.conn());
        end(s, outcome)
    });
    name.blocked_by(&two);
    let row = two.start("locks the row", move |s| {
        let outcome = s.lock_by_id::<Account>(1).map(drop);
        end(s, outcome)
    });
    let outcomes = [name.join(), row.join()];
    let deadlocks = outcomes.iter().filter(|outcome| matches!(outcome, Err(LockError::Deadlock { .. }))).count();
    assert!(deadlocks == 1 && outcomes.iter().any(Result::is_ok), "{outcomes:?}");
}
