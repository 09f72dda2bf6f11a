//! `timeout`: the wait ends, and zero is no wait at all.

use std::{
    error::Error as _,
    time::{Duration, Instant},
};

use diesel::{prelude::*, result::Error as DieselError};
use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver, beginner, busy, goes_on_and_commits, holder, keys, names, stale};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, Order, Seat},
        patience::DEADLINE,
        schema::accounts,
        server::Server,
    },
};

const SECOND: Duration = Duration::from_secs(1);
const SHORT: Duration = Duration::from_millis(50);
/// The transaction, after its time was up.
const GOES_ON: bool = <<Driver as Session>::Server as Server>::UNDOES_STATEMENTS;
/// Nobody waits so long.
const LONG: Duration = Duration::from_secs(100);

type Fails = fn(&mut Driver) -> LockError;

/// G01, P03, P05.
#[test]
fn a_timeout_ends_the_wait() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", |set| set.ids::<Account>([1, 3]));
    let calls: [(&str, Fails, &[&str]); 3] = [
        ("a row", |s| s.timeout(&stale(), SECOND).unwrap_err(), &["Account 1"]),
        (
            "a set",
            |s| {
                let set = LockSet::new().id::<Order>(1).ids::<Account>([3, 2]).id::<Seat>(("A".to_owned(), 1));
                s.lock_set(set.timeout(SECOND)).unwrap_err()
            },
            &["Account 3", "Account 2"],
        ),
        (
            "a query",
            |s| {
                let set = LockSet::new().query::<Account>(accounts::table.filter(accounts::balance.gt(9)));
                s.lock_set(set.timeout(SECOND)).unwrap_err()
            },
            &[],
        ),
    ];
    for (name, call, asked) in calls {
        let patient = beginner(&play, name);
        let waiting = patient.start(name, move |s| {
            let began = Instant::now();
            let error = call(s);
            (error, began.elapsed())
        });
        waiting.blocked_by(&holder);
        let (error, took) = waiting.join();
        assert!((SECOND..DEADLINE).contains(&took), "{name}: {took:?}");
        assert!(error.is_contended() && !error.is_retryable(), "{error:?}");
        assert!(error.transaction_is_lost() != GOES_ON, "{error:?}");
        let LockError::TimedOut { attempt: Some(attempt), source: Some(_) } = &error else { panic!("{error:?}") };
        assert!(attempt.table().contains("accounts"), "{error:?}");
        assert_eq!(names(attempt.rows()), asked, "{name}");
        assert!((SECOND..=took).contains(&attempt.waited()), "{error:?}, {took:?}");
        assert!(attempt.holders().is_empty() && !attempt.rolled_back(), "{error:?}");
        let server =
            error.source().and_then(|class| class.source()).expect("the class, and the server's error beneath it");
        assert!(matches!(server.downcast_ref(), Some(DieselError::DatabaseError(..))), "{error:?}");
        patient.run("rolls back and goes on", |s| {
            s.rollback().unwrap();
            s.begin().unwrap();
            goes_on_and_commits(s);
        });
    }
    holder.run("goes on", goes_on_and_commits);
}

/// G01, O10.
#[test]
fn a_timeout_in_a_nested_transaction_costs_the_nested_one_only() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let patient = beginner(&play, "patient");
    patient.run("changes 2", |s| s.execute("UPDATE accounts SET v = 1 WHERE id = 2")).unwrap();
    let waiting = patient.start("waits in a nested transaction", |s| {
        s.begin().unwrap();
        s.lock_by_id::<Account>(3).unwrap();
        let error = s.timeout(&stale(), SHORT).unwrap_err();
        s.rollback().unwrap();
        error
    });
    let error = waiting.join();
    assert!(matches!(error, LockError::TimedOut { .. }), "{error:?}");
    patient.run("goes on", goes_on_and_commits);
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v = 1"), 2);
    assert_eq!(arena.held_keys("accounts", "id"), ["1"]);
}

/// G01.
#[test]
fn within_its_time_a_call_gets_the_row_and_what_has_become_of_it() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    for (number, time) in [LONG, Duration::MAX].into_iter().enumerate() {
        let holder = holder(&play, &format!("holder {number}"), |set| set.id::<Account>(1));
        let patient = beginner(&play, &format!("patient {number}"));
        let waiting = patient.start("locks", move |s| {
            let row = s.timeout(&stale(), time);
            (row, s.lock_set(LockSet::new().id::<Order>(1).ids::<Account>([2, 1]).timeout(time)))
        });
        waiting.blocked_by(&holder);
        holder.run("changes and commits", |s| {
            s.execute("UPDATE accounts SET v = v + 1 WHERE id = 1").unwrap();
            s.commit().unwrap();
        });
        let (row, set) = waiting.join();
        assert_eq!(row.unwrap().v, i32::try_from(number).unwrap() + 1);
        assert_eq!(keys::<Account>(&set.unwrap()), [1, 2]);
        assert_eq!((arena.held_keys("accounts", "id").len(), arena.held_keys("orders", "id").len()), (2, 1));
    }
}

/// G07.
#[test]
fn no_time_at_all_is_no_wait() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let hasty = beginner(&play, "hasty");
    assert_eq!(busy(hasty.run("tries", |s| s.timeout(&stale(), Duration::ZERO))), ["Account 1"]);
    let set = |s: &mut Driver| s.lock_set(LockSet::new().ids::<Account>([2, 1]).timeout(Duration::ZERO));
    assert_eq!(busy(hasty.run("tries a set", set)), ["Account 1"]);
    let query = |s: &mut Driver| s.lock_set(LockSet::new().query::<Account>(accounts::table).timeout(Duration::ZERO));
    assert_eq!(busy(hasty.run("tries a query", query)), ["Account 1"]);
    holder.run("commits", |s| s.commit()).unwrap();
    assert_eq!(hasty.run("tries again", |s| s.timeout(&stale(), Duration::ZERO)).unwrap().balance, 10);
    hasty.run("goes on", goes_on_and_commits);
}
