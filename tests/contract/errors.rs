//! Errors: their classes, what they leave behind, and that they are told by what happened and not by somebody's words.

use std::{
    error::Error as _,
    sync::{Arc, Barrier},
};

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_lockset::{LockError, LockSet};

use super::{Driver, one_row::stale};
use crate::{
    isolation::{Actor, Play},
    support::{arena::Arena, driver::Session, models::Account, probe::Held},
};

const ADD_TO: [&str; 2] = [
    "UPDATE accounts SET balance = balance + 1 WHERE id = 1",
    "UPDATE accounts SET balance = balance + 1 WHERE id = 2",
];
const TWICE: &str = "INSERT INTO accounts (id, owner, balance) VALUES (1, 'twice', 0)";

/// Locks an account in the order in which it is asked to, as nobody should.
fn one_by_one(s: &mut Driver, id: i32) -> Result<(), LockError> {
    s.lock_by_id::<Account>(id).map(drop)
}

fn adds(s: &mut Driver, id: i32) -> Result<(), LockError> {
    s.execute(ADD_TO[usize::try_from(id).unwrap() - 1])?;
    Ok(())
}

/// The first locks 1 and then 2, the second 2 and then 1: the number of the victim, and what it was told.
fn cross(
    first: &Actor<Driver>,
    second: &Actor<Driver>,
    lock: fn(&mut Driver, i32) -> Result<(), LockError>,
) -> (usize, LockError) {
    for (session, id) in [(first, 1), (second, 2)] {
        session.run("locks its own", move |s| s.begin().map_err(LockError::from).and_then(|()| lock(s, id))).unwrap();
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
        let (_, error) = cross(&first, &second, lock);
        assert!(matches!(error, LockError::Deadlock(_)), "{error:?}");
        assert!(error.is_retryable() && error.transaction_is_lost());
        let source = error.source().unwrap();
        assert!(matches!(source.downcast_ref(), Some(DieselError::DatabaseError(..))), "{source:?}");
        assert!(!error.to_string().contains(&source.to_string()), "{error}");
        // Through a closure that returns Diesel's error and back.
        let error = LockError::from(DieselError::from(error));
        assert!(matches!(error, LockError::Deadlock(_)), "{error:?}");
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
        .run("changes jobs", |s| s.begin().and_then(|()| s.execute("UPDATE jobs SET attempts = 1 WHERE id < 4")))
        .unwrap();
    sessions[1]
        .run("changes seats", |s| s.begin().and_then(|()| s.execute("UPDATE seats SET holder = 'x' WHERE number = 1")))
        .unwrap();
    let held = || [arena.held_keys("jobs", "id").len(), arena.held_keys("seats", "(section, number)").len()];
    assert_eq!(held(), [3, 3]);
    let (victim, _) = cross(&sessions[0], &sessions[1], one_by_one);
    // Both transactions of the victim end.
    for _ in 0..2 {
        sessions[victim].run("rolls back", |s| s.rollback()).unwrap();
    }
    let mut left = [3, 3];
    left[victim] = 0;
    assert_eq!(held(), left);
    assert_eq!(arena.held_keys("accounts", "id"), ["1", "2"]);
    sessions[1 - victim].run("changes and commits", |s| {
        adds(s, 1).unwrap();
        s.commit().unwrap();
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
    assert!(matches!(results[victim], Err(LockError::Deadlock(_))), "{results:?}");
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

/// O10, P05.
#[test]
fn after_each_error_a_new_transaction_can_lock() {
    type Fails = fn(&mut Driver) -> Result<(), LockError>;
    // What fails, whether it makes sense to try again, whether the transaction is lost.
    let failures: [(&str, Fails, bool); 5] = [
        ("Missing", |s| s.begin().map_err(LockError::from).and_then(|()| one_by_one(s, 99)), false),
        (
            "NotInSet",
            |s| {
                s.begin()?;
                s.lock_set(LockSet::new().row(&stale()))?.id::<Account>(2).map(drop)
            },
            false,
        ),
        ("NotInTransaction", |s| one_by_one(s, 1), false),
        ("ReadOnly", |s| s.begin_as("READ ONLY").map_err(LockError::from).and_then(|()| one_by_one(s, 1)), true),
        (
            "Query",
            |s| {
                s.begin()?;
                s.execute(TWICE)?;
                Ok(())
            },
            true,
        ),
    ];
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for (name, fails, lost) in failures {
        let error = fails(&mut session).unwrap_err();
        assert!(format!("{error:?}").starts_with(name), "{error:?}");
        assert_eq!((error.is_retryable(), error.transaction_is_lost()), (false, lost), "{error:?}");
        if name != "NotInTransaction" {
            session.rollback().unwrap();
        }
        assert_eq!(arena.probe("accounts", "id = 1"), Held::Free, "{name}");
        session.begin().unwrap();
        assert_eq!(session.lock(&stale()).unwrap().balance, 10, "{name}");
        session.commit().unwrap();
    }
}

/// P06.
#[test]
fn other_errors_pass_through_unchanged() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let Err(DieselError::DatabaseError(_, raw)) = session.execute(TWICE) else { panic!("twice the same key") };
    let error = session
        .with_lock(&stale(), |_, conn| {
            Driver::execute_on(conn, TWICE)?;
            Ok::<_, LockError>(())
        })
        .unwrap_err();
    let LockError::Query(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info)) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (info.message(), info.details(), info.constraint_name(), info.table_name()),
        (raw.message(), raw.details(), raw.constraint_name(), raw.table_name())
    );
    assert!(error.source().unwrap().is::<DieselError>());
    assert!(!error.to_string().contains(raw.message()), "{error}");
    let error = DieselError::from(error);
    assert!(matches!(error, DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)), "{error:?}");
    // `NotFound` is no missing row: nobody asked for one by its key.
    let error = LockError::from(DieselError::NotFound);
    assert!(matches!(error, LockError::Query(DieselError::NotFound)), "{error:?}");
}

/// P07.
#[test]
fn words_in_values_names_and_statements_do_not_make_the_class() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    arena.execute("CREATE TABLE lock_timeout (id integer PRIMARY KEY); INSERT INTO lock_timeout VALUES (1)");
    let tags =
        ["deadlock detected", "Deadlock found", "canceling statement due to lock timeout", "could not obtain lock"];
    for tag in tags {
        let insert = format!("INSERT INTO tags (name) VALUES ('{tag}')");
        session.execute(&insert).unwrap();
        for statement in [
            insert.as_str(),
            "INSERT INTO lock_timeout VALUES (1)",
            "SELECT lock_not_available FROM lock_timeout",
            &format!("SELECT '{tag}' FROM nowhere"),
        ] {
            let error = LockError::from(session.execute(statement).unwrap_err());
            assert!(matches!(error, LockError::Query(_)), "{statement}: {error:?}");
            assert!(!error.is_retryable(), "{statement}");
        }
    }
}
