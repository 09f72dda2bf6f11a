//! Sessions that wait for each other in a circle.

use std::{
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use diesel_lockset::{LockError, RunAdvisoryLock};

use super::{Arena, account, nothing};
use crate::{
    isolation::Play,
    support::{
        driver::{MysqlBlocking, Session},
        models::Account,
    },
};

/// M07.
#[test]
fn two_sessions_crosswise_are_a_deadlock_that_names_the_lock() {
    let arena = Arena::new();
    let play = Play::<MysqlBlocking>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    one.run("locks 1", |s| std::mem::forget(account(1).acquire(s.conn()).unwrap()));
    two.run("locks 2", |s| std::mem::forget(account(2).acquire(s.conn()).unwrap()));
    let began = Instant::now();
    let wants =
        |id| move |s: &mut MysqlBlocking| account(id).timeout(Duration::from_secs(30)).hold_session(s.conn(), nothing);
    let first = one.start("locks 2", wants(2));
    first.blocked_by(&two);
    let second = two.start("locks 1", wants(1));
    let (victim, lock, rest, loser) = loop {
        if first.has_ended() {
            break (first.join(), "Account|2", second, &one);
        }
        if second.has_ended() {
            break (second.join(), "Account|1", first, &two);
        }
        thread::yield_now();
    };
    assert!(began.elapsed() < Duration::from_secs(10));
    let LockError::Deadlock { attempt: Some(attempt), .. } = victim.unwrap_err() else { panic!("no deadlock") };
    assert_eq!(attempt.advisory_lock(), Some(lock));
    // It still has what it had: the other one goes on when that is released.
    loser.run("releases", |s| s.execute("SELECT RELEASE_ALL_LOCKS()").unwrap());
    rest.join().unwrap();
}

/// M07.
///
/// In a transaction: of names it is the statement that is undone, on MariaDB too, which says 1213.
#[test]
fn a_deadlock_of_names_rolls_back_with_the_transaction_that_it_is_in() {
    let arena = Arena::new();
    let play = Play::<MysqlBlocking>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    // Each does its work under one name and wants the other's: the victim's work is undone as a whole.
    let both = Arc::new(Barrier::new(2));
    let works = |mine: i32, other: i32| {
        let both = both.clone();
        move |s: &mut MysqlBlocking| {
            account(mine).hold(s.conn(), |conn| {
                MysqlBlocking::execute_on(conn, &format!("UPDATE accounts SET v = v + 1 WHERE id = {mine}"))?;
                both.wait();
                account(other).hold(conn, nothing)
            })
        }
    };
    let first = one.start("works", works(1, 2));
    let second = two.start("works", works(2, 1));
    let outcomes = [first.join(), second.join()];
    let lost: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(matches!(lost[..], [LockError::Deadlock { .. }]), "{outcomes:?}");
    assert_eq!(arena.number("SELECT sum(v) FROM accounts"), 1, "one has done its work");
    for id in [1, 2] {
        assert!(!account(id).is_held(&mut arena.connect()).unwrap());
    }
}

/// M09.
#[test]
fn a_circle_of_a_row_and_a_name_ends_by_the_timeouts() {
    let arena = Arena::new();
    let play = Play::<MysqlBlocking>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    one.run("locks the row", |s| {
        s.begin().unwrap();
        s.lock_by_id::<Account>(1).unwrap();
    });
    two.run("locks the name", |s| {
        std::mem::forget(account(13).acquire(s.conn()).unwrap());
        s.begin().unwrap();
    });
    let began = Instant::now();
    let name = one.start("locks the name", |s| {
        let outcome = account(13).timeout(Duration::from_secs(4)).hold_session(s.conn(), nothing);
        s.rollback().unwrap();
        outcome
    });
    name.blocked_by(&two);
    let row = two.start("locks the row", |s| {
        let ada = Account { id: 1, owner: String::new(), balance: 0, v: 0 };
        s.timeout(&ada, Duration::from_secs(2)).map(drop)
    });
    assert!(matches!(row.join(), Err(LockError::TimedOut { .. })));
    assert!(matches!(name.join(), Err(LockError::TimedOut { .. })));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
