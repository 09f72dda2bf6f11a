//! `name_holders`: the error of a set that gave up says who held the row, and the transaction goes on.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::{
    LockError, LockSet,
    error::{Attempt, Holder},
};

use super::{
    Arena, Driver,
    waiting::{Set, beginner, goes_on_and_commits, holder, names, stale},
};
use crate::{
    isolation::{Actor, Play},
    support::{
        driver::Session,
        models::{Account, Order, Seat},
        patience::DEADLINE,
        schema::accounts,
    },
};

const SHORT: Duration = Duration::from_millis(50);

fn sessions(holders: &[Holder]) -> Vec<i32> {
    holders.iter().map(Holder::session).collect()
}

fn attempt(error: &LockError) -> &Attempt {
    match error {
        LockError::TimedOut { attempt: Some(attempt), .. } => attempt,
        error => panic!("{error:?}"),
    }
}

/// The processes of `actors`, in ascending order.
fn pids(actors: &[&Actor<Driver>]) -> Vec<i32> {
    let mut pids: Vec<i32> = actors.iter().map(|actor| actor.pid()).collect();
    pids.sort_unstable();
    pids
}

/// D01, P05.
#[test]
fn a_call_that_does_not_wait_names_whoever_holds_what_it_wants() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let one = holder(&play, "one", |set| set.ids::<Account>([1, 2]));
    let other = holder(&play, "other", |set| set.id::<Account>(3).id::<Seat>(("A".to_owned(), 1)));
    let _third = holder(&play, "third", |set| set.ids::<Account>([5]));
    let hasty = beginner(&play, "hasty");
    for wants in [
        |set: Set| set.ids::<Account>([1, 2, 3, 4]),
        |set: Set| set.id::<Account>(3).query::<Account>(accounts::table.filter(accounts::balance.ne(0))),
    ] {
        let error =
            hasty.run("tries", move |s| s.lock_set(wants(LockSet::new()).name_holders().no_wait())).unwrap_err();
        let LockError::Contended { rows, holders, .. } = &error else { panic!("{error:?}") };
        assert_eq!(names(rows), ["Account 1", "Account 2", "Account 3"]);
        assert_eq!(sessions(holders), pids(&[&one, &other]), "{error:?}");
        assert!(!error.transaction_is_lost());
    }
    let seat = |s: &mut Driver| s.lock_set(LockSet::new().id::<Seat>(("A".to_owned(), 1)).no_wait().name_holders());
    let error = hasty.run("tries a seat", seat).unwrap_err();
    let LockError::Contended { holders, .. } = &error else { panic!("{error:?}") };
    assert_eq!(sessions(holders), [other.pid()]);
    hasty.run("goes on", |s| s.execute("UPDATE accounts SET v = 1 WHERE id = 4").and_then(|_| s.commit())).unwrap();
}

/// G01, P05.
#[test]
fn a_call_that_timed_out_names_the_holder_and_has_undone_itself() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", |set| set.id::<Account>(2));
    let patient = beginner(&play, "patient");
    patient.run("changes 4", |s| s.execute("UPDATE accounts SET v = 1 WHERE id = 4")).unwrap();
    for wants in [
        |set: Set| set.id::<Order>(1).ids::<Account>([1, 2]),
        |set: Set| set.query::<Account>(accounts::table.filter(accounts::balance.gt(9))),
        |set: Set| set.query::<Account>(accounts::table.order(accounts::id).limit(2)),
    ] {
        let waiting = patient
            .start("locks", move |s| s.lock_set(wants(LockSet::new()).name_holders().timeout(SHORT)).unwrap_err());
        let error = waiting.join();
        assert!(!error.transaction_is_lost() && error.is_contended(), "{error:?}");
        let attempt = attempt(&error);
        assert!(attempt.rolled_back(), "{error:?}");
        assert_eq!(sessions(attempt.holders()), [holder.pid()], "{error:?}");
        // What it had locked before is free again.
        assert_eq!(arena.held_keys("accounts", "id"), ["2", "4"]);
        assert!(arena.held_keys("orders", "id").is_empty());
    }
    patient.run("goes on", goes_on_and_commits);
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v = 1"), 2);
    assert_eq!(arena.held_keys("accounts", "id"), ["2"]);
}

/// G01.
#[test]
fn a_holder_that_changes_the_row_is_named_too() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let statements = [
        "UPDATE accounts SET balance = 0 WHERE id = 1",
        "UPDATE accounts SET id = 100 WHERE id = 1",
        "DELETE FROM accounts WHERE id = 1",
    ];
    for statement in statements {
        let writer = beginner(&play, statement);
        writer.run("writes", move |s| s.execute(statement)).unwrap();
        let patient = beginner(&play, &format!("beside {statement}"));
        let waiting = patient
            .start("locks", |s| s.lock_set(LockSet::new().row(&stale()).timeout(SHORT).name_holders()).unwrap_err());
        assert_eq!(sessions(attempt(&waiting.join()).holders()), [writer.pid()], "{statement}");
    }
}

/// G01.
#[test]
fn a_holder_that_locked_in_a_nested_transaction_is_named_too() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let nesting = beginner(&play, "nesting");
    let patient = beginner(&play, "patient");
    let tries = |s: &mut Driver| s.lock_set(LockSet::new().row(&stale()).no_wait().name_holders()).unwrap_err();
    nesting.run("locks in a nested transaction", |s| s.begin().map(|()| s.lock(&stale()))).unwrap().unwrap();
    for nested in [true, false] {
        let error = patient.run("tries", tries);
        let LockError::Contended { holders, .. } = &error else { panic!("{error:?}") };
        assert_eq!(sessions(holders), [nesting.pid()], "still nested: {nested}");
        if nested {
            nesting.run("ends the nested one", |s| s.commit()).unwrap();
        }
    }
}

/// G01.
#[test]
fn whoever_waits_in_the_queue_is_no_holder() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let (queued, patient) = (beginner(&play, "queued"), beginner(&play, "patient"));
    let queue = queued.start("locks", |s| s.lock(&stale()));
    queue.blocked_by(&holder);
    let waiting =
        patient.start("locks", |s| s.lock_set(LockSet::new().row(&stale()).timeout(SHORT).name_holders()).unwrap_err());
    assert_eq!(sessions(attempt(&waiting.join()).holders()), [holder.pid()]);
    holder.run("commits", |s| s.commit()).unwrap();
    queue.join().unwrap();
}

/// G01.
#[test]
fn with_nobody_in_the_way_a_set_that_would_name_holders_locks_as_usual() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    session.lock_set(LockSet::new().ids::<Account>([1, 2]).name_holders()).unwrap();
    session.lock_set(LockSet::new().id::<Account>(3).name_holders().timeout(DEADLINE)).unwrap();
    session.lock_set(LockSet::new().id::<Account>(4).name_holders().no_wait()).unwrap();
    let missing = session.lock_set(LockSet::new().ids::<Account>([5, 99]).name_holders());
    assert!(matches!(missing, Err(LockError::Missing { .. })), "{missing:?}");
    // The locks are those of the transaction, not of something inside of it.
    assert_eq!(arena.held_keys("accounts", "id"), ["1", "2", "3", "4", "5"]);
    session.commit().unwrap();
    assert!(arena.held_keys("accounts", "id").is_empty());
    let outside = session.lock_set(LockSet::new().id::<Account>(1).name_holders());
    assert!(matches!(outside, Err(LockError::NotInTransaction)), "{outside:?}");
}
