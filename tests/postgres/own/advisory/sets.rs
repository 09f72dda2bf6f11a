//! Advisory locks as part of a lock set.

use std::time::Duration;

use diesel_lockset::{AdvisoryLock, LockError, LockSet};

use super::{Arena, Driver, account, free, verbs::RunAdvisoryLock};
use crate::{
    isolation::{Play, crowd},
    support::{driver::Session, models::Account, patience::DEADLINE},
};

/// L01.
#[test]
fn they_are_taken_first_and_end_with_the_transaction() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    one.begin().unwrap();
    let sent = one.overhear();
    let set =
        LockSet::new().id::<Account>(2).advisory(account(7)).advisory(AdvisoryLock::named("x")).advisory(account(7));
    let locked = one.lock_set(set).unwrap();
    assert_eq!(locked.rows::<Account>().len(), 1);
    let sent = sent.take();
    assert_eq!(sent.len(), 3, "one for each name, one for the table: {sent:#?}");
    assert!(sent[0].contains("pg_advisory_xact_lock") && sent[1].contains("pg_advisory_xact_lock"), "{sent:#?}");
    assert!(!free(&mut two, account(7)) && !free(&mut two, AdvisoryLock::named("x")));
    one.commit().unwrap();
    assert!(free(&mut two, account(7)) && free(&mut two, AdvisoryLock::named("x")));
}

#[test]
fn a_set_of_names_alone_is_a_set() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let set = || LockSet::new().advisory(account(7));
    assert!(!set().is_empty());
    assert!(format!("{:?}", set()).contains("Account|7"));
    assert!(matches!(session.lock_set(set()), Err(LockError::NotInTransaction)));
    session.begin().unwrap();
    session.lock_set(set()).unwrap();
    assert!(account(7).is_held(session.conn()).unwrap());
}

/// H03.
#[test]
fn names_added_in_any_order_never_deadlock() {
    let arena = Arena::new();
    let ended = crowd::<Driver, _>(&arena, 8, DEADLINE, |number, s| {
        for round in 0..50 {
            let mut ids: Vec<i32> = (1..=5).collect();
            fastrand::Rng::with_seed((number * 100 + round) as u64).shuffle(&mut ids);
            s.begin().unwrap();
            let set =
                ids.iter().take(3).fold(LockSet::new().id::<Account>(ids[0]), |set, &id| set.advisory(account(id)));
            s.lock_set(set).unwrap();
            s.commit().unwrap();
        }
    });
    assert_eq!(ended.len(), 8);
    assert_eq!(arena.deadlocks(), 0);
}

/// K05.
#[test]
fn the_patience_of_the_set_counts_for_names_too() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (holder, other) = (play.session("holder"), play.session("other"));
    let pid = holder.run("locks", |s| {
        std::mem::forget(account(7).acquire(s.conn()).unwrap());
        s.pid()
    });
    other.run("begins", |s| s.begin().unwrap());
    let busy = other.run("does not wait", |s| {
        s.lock_set(LockSet::new().id::<Account>(1).advisory(account(7)).no_wait().name_holders()).unwrap_err()
    });
    let LockError::Contended { rows, holders, .. } = &busy else { panic!("{busy:?}") };
    assert_eq!((rows[0].to_string().as_str(), holders[0].session()), ("advisory lock \"Account|7\"", pid));
    assert!(arena.held_keys("accounts", "id").is_empty(), "names come first");
    let waiting = other.start("waits a while", |s| {
        let set = LockSet::new().id::<Account>(1).advisory(account(7));
        s.lock_set(set.timeout(Duration::from_millis(200)).name_holders()).unwrap_err()
    });
    let late = waiting.join();
    let LockError::TimedOut { attempt: Some(attempt), .. } = &late else { panic!("{late:?}") };
    assert_eq!((attempt.advisory_lock(), attempt.holders()[0].session()), (Some("Account|7"), pid));
    other.run("goes on", |s| s.commit().unwrap());
}
