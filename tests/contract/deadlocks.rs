//! Deadlocks, provoked on purpose: what the victim is told, and what becomes of both.

use std::{
    error::Error as _,
    sync::{Arc, Barrier},
};

use diesel::result::Error as DieselError;
use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver, one_row::stale};
use crate::{
    isolation::{Actor, Play},
    support::{
        driver::Session,
        models::{Account, Job, Seat},
    },
};

const ADD_TO: [&str; 2] = [
    "UPDATE accounts SET balance = balance + 1 WHERE id = 1",
    "UPDATE accounts SET balance = balance + 1 WHERE id = 2",
];

/// Locks an account in the order in which it is asked to, as nobody should.
fn one_by_one(s: &mut Driver, id: i32) -> Result<(), LockError> {
    s.lock_by_id::<Account>(id).map(drop)
}

fn adds(s: &mut Driver, id: i32) -> Result<(), LockError> {
    s.execute(ADD_TO[usize::try_from(id).unwrap() - 1])?;
    Ok(())
}

/// Both have begun. The first locks 1, then 2, the second 2, then 1: the number of the victim, and what it was told.
fn cross(
    first: &Actor<Driver>,
    second: &Actor<Driver>,
    lock: fn(&mut Driver, i32) -> Result<(), LockError>,
) -> (usize, LockError) {
    for (session, id) in [(first, 1), (second, 2)] {
        session.run("locks its own", move |s| lock(s, id)).unwrap();
    }
    let one = first.start("locks 2", move |s| lock(s, 2));
    one.blocked_by(second);
    let other = second.start("locks 1", move |s| lock(s, 1));
    match (one.join(), other.join()) {
        (Err(error), Ok(())) => (0, error),
        (Ok(()), Err(error)) => (1, error),
        both => panic!("one of the two: {both:?}"),
    }
}

/// H04, P01, P05, P06.
#[test]
fn a_deadlock_is_told_as_one() {
    for lock in [one_by_one, adds] {
        let arena = Arena::new();
        let play = Play::<Driver>::new(&arena);
        let (first, second) = (play.session("first"), play.session("second"));
        first.run("begins", |s| s.begin()).unwrap();
        second.run("begins", |s| s.begin()).unwrap();
        let (_, error) = cross(&first, &second, lock);
        assert!(matches!(error, LockError::Deadlock { .. }), "{error:?}");
        assert!(error.is_retryable() && error.transaction_is_lost());
        let source = error.source().unwrap();
        assert!(matches!(source.downcast_ref(), Some(DieselError::DatabaseError(..))), "{source:?}");
        assert!(!error.to_string().contains(&source.to_string()), "{error}");
        // Through a closure that returns Diesel's error and back.
        let error = LockError::from(DieselError::from(error));
        assert!(matches!(error, LockError::Deadlock { .. }), "{error:?}");
    }
}

/// P10.
#[test]
fn the_victim_of_a_deadlock_holds_nothing_and_the_other_goes_on() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let sessions = [play.session("first"), play.session("second")];
    // Each holds three rows more of a table of its own.
    sessions[0]
        .run("locks jobs", |s| {
            s.begin()?;
            s.lock_set(LockSet::new().ids::<Job>([1, 2, 3])).map(drop)
        })
        .unwrap();
    sessions[1]
        .run("locks seats", |s| {
            s.begin()?;
            s.lock_set(LockSet::new().ids::<Seat>([("A".to_owned(), 1), ("A".to_owned(), 2), ("B".to_owned(), 1)]))
                .map(drop)
        })
        .unwrap();
    let held = || [arena.held_keys("jobs", "id").len(), arena.held_keys("seats", "(section, number)").len()];
    assert_eq!(held(), [3, 3]);
    let (victim, _) = cross(&sessions[0], &sessions[1], one_by_one);
    sessions[victim].run("rolls back", |s| s.rollback()).unwrap();
    let mut left = [3, 3];
    left[victim] = 0;
    assert_eq!(held(), left);
    assert_eq!(arena.held_keys("accounts", "id"), ["1", "2"]);
    sessions[1 - victim].run("changes and commits", |s| {
        adds(s, 1).unwrap();
        s.commit().unwrap();
    });
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 1"), 11);
    assert!(arena.held_keys("accounts", "id").is_empty());
}

/// O10, P01.
#[test]
fn with_lock_says_which_error_it_was_and_leaves_the_connection_usable() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let sessions = [play.session("first"), play.session("second")];
    let both_hold = Arc::new(Barrier::new(2));
    let pending = [1, 2].map(|id| {
        let both_hold = Arc::clone(&both_hold);
        sessions[id - 1].start("changes both", move |s| {
            let account = Account { id: i32::try_from(id).unwrap(), ..stale() };
            s.with_lock(&account, |_, conn| {
                both_hold.wait();
                // Its own, then the other's.
                Driver::execute_on(conn, ADD_TO[id - 1])?;
                Driver::execute_on(conn, ADD_TO[2 - id])?;
                Ok::<_, LockError>(())
            })
        })
    });
    let results = pending.map(|pending| pending.join());
    let victim = results.iter().position(Result::is_err).expect("a victim");
    assert!(matches!(results[victim], Err(LockError::Deadlock { .. })), "{results:?}");
    results[1 - victim].as_ref().unwrap();
    // No `rollback` of ours: it is outside of any transaction again.
    let outside = sessions[victim].run("locks outside", |s| s.lock(&stale()));
    assert!(matches!(outside, Err(LockError::NotInTransaction)), "{outside:?}");
    let again = sessions[victim].run("does it again", |s| {
        s.with_lock(&stale(), |account, conn| {
            Driver::execute_on(conn, ADD_TO[0])?;
            Driver::execute_on(conn, ADD_TO[1])?;
            Ok::<_, LockError>(account.balance)
        })
    });
    assert_eq!(again.unwrap(), 11);
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 1"), 12);
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 2"), 22);
}
