//! Waits for a name: how long, who ends them, and what the server's answer means.

use std::time::{Duration, Instant};

use diesel_lockset::{LockError, RunAdvisoryLock};

use super::{Arena, account, nothing};
use crate::{
    isolation::Play,
    support::driver::{MysqlBlocking, Session},
};

/// M10.
#[test]
fn fractions_of_a_second_are_waited_for_and_not_longer() {
    let arena = Arena::new();
    let (mut one, mut two) = (MysqlBlocking::connect(arena.url()), MysqlBlocking::connect(arena.url()));
    let _guard = account(1).acquire(one.conn()).unwrap();
    for milliseconds in [1, 300, 600, 1100] {
        let time = Duration::from_millis(milliseconds);
        // On a busy machine, one try may take any time.
        let mut tries = (0..5).map(|_| {
            let began = Instant::now();
            assert_eq!(account(1).timeout(time).try_hold(two.conn(), nothing).unwrap(), None);
            let waited = began.elapsed();
            assert!(waited >= time, "{waited:?} in place of {time:?}");
            waited
        });
        assert!(tries.any(|waited| waited < time + Duration::from_secs(1)), "{time:?}");
    }
}

/// M10.
#[test]
fn within_a_fraction_of_a_second_it_is_had_when_it_is_released() {
    let arena = Arena::new();
    let play = Play::<MysqlBlocking>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    // Less than a second is hard to hit on a busy machine: the wait of this one is sure to have begun.
    for milliseconds in [5_500, 900] {
        one.run("locks", |s| std::mem::forget(account(1).acquire(s.conn()).unwrap()));
        let waiting = two.start("holds", move |s| {
            account(1).timeout(Duration::from_millis(milliseconds)).try_hold(s.conn(), nothing).unwrap()
        });
        if milliseconds > 1_000 {
            waiting.blocked_by(&one);
        }
        one.run("releases", |s| s.execute("SELECT RELEASE_ALL_LOCKS()").unwrap());
        assert_eq!(waiting.join(), Some(()));
    }
}

/// M11.
#[test]
fn without_a_timeout_it_waits_until_it_has_the_lock() {
    let arena = Arena::new();
    let play = Play::<MysqlBlocking>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    one.run("locks", |s| std::mem::forget(account(1).acquire(s.conn()).unwrap()));
    let waiting = two.start("holds", |s| account(1).hold(s.conn(), nothing));
    waiting.blocked_by(&one);
    std::thread::sleep(Duration::from_secs(2)); // what this is about is that time passes
    assert!(!waiting.has_ended());
    one.run("releases", |s| s.execute("SELECT RELEASE_ALL_LOCKS()").unwrap());
    waiting.join().unwrap();
}

/// M01.
#[test]
fn a_wait_that_is_killed_is_an_error_and_no_lock() {
    let arena = Arena::new();
    let play = Play::<MysqlBlocking>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    one.run("locks", |s| std::mem::forget(account(1).acquire(s.conn()).unwrap()));
    let pid = two.run("is asked", |s| s.pid());
    for (nested, timeout) in [(false, None), (false, Some(60)), (true, None), (true, Some(60))] {
        let waiting = two.start("waits", move |s| {
            if nested {
                s.begin().unwrap();
                s.execute("UPDATE accounts SET v = v + 1 WHERE id = 3").unwrap();
            }
            let lock = account(1);
            let lock = timeout.map_or(lock.clone(), |time| lock.timeout(Duration::from_secs(time)));
            let mut ran = false;
            let outcome = lock.hold_session(s.conn(), |_| {
                ran = true;
                Ok::<_, LockError>(())
            });
            if nested {
                s.commit().unwrap();
            }
            (outcome, ran)
        });
        waiting.blocked_by(&one);
        arena.execute(&format!("KILL QUERY {pid}"));
        let (outcome, ran) = waiting.join();
        let LockError::Canceled { attempt: Some(attempt), .. } = outcome.as_ref().unwrap_err() else {
            panic!("{outcome:?}")
        };
        assert_eq!((attempt.advisory_lock(), ran), (Some("Account|1"), false));
        assert!(!outcome.unwrap_err().transaction_is_lost());
    }
    one.run("releases", |s| s.execute("SELECT RELEASE_ALL_LOCKS()").unwrap());
    assert!(!account(1).is_held(&mut arena.connect()).unwrap(), "nobody got it");
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 3"), 2, "the transactions went on");
}

/// M01.
#[test]
fn free_is_had_and_held_is_not() {
    let arena = Arena::new();
    let (mut one, mut two) = (MysqlBlocking::connect(arena.url()), MysqlBlocking::connect(arena.url()));
    let guard = account(1).try_acquire(one.conn()).unwrap().expect("it is free");
    assert!(account(1).try_acquire(two.conn()).unwrap().is_none());
    assert!(guard.release());
    assert!(account(1).try_acquire(two.conn()).unwrap().is_some());
}

/// The server's own limit is as before, also where the user has one; and a shorter one of the user's counts.
#[test]
fn settings_are_as_before() {
    let arena = Arena::new();
    let (mut one, mut two) = (MysqlBlocking::connect(arena.url()), MysqlBlocking::connect(arena.url()));
    let limit = "SELECT /*!80001 @@max_execution_time */ /*M! CAST(@@max_statement_time * 1000 AS SIGNED) */";
    two.execute("SET /*!80001 max_execution_time = 77000 */ /*M! max_statement_time = 77 */").unwrap();
    let short = Duration::from_millis(200);
    for begun in [false, true] {
        if begun {
            two.begin().unwrap();
        }
        let guard = account(1).acquire(one.conn()).unwrap();
        assert!(account(1).timeout(short).try_acquire(two.conn()).unwrap().is_none());
        assert_eq!(two.number(limit), Ok(77_000));
        drop(guard);
        assert!(account(1).timeout(short).try_acquire(two.conn()).unwrap().is_some());
        assert_eq!(two.number(limit), Ok(77_000));
    }
    two.rollback().unwrap();
    two.execute("SET /*!80001 max_execution_time = 300 */ /*M! max_statement_time = 0.3 */").unwrap();
    let _guard = account(1).acquire(one.conn()).unwrap();
    let ended = account(1).hold(two.conn(), nothing).unwrap_err();
    assert!(matches!(ended, LockError::Canceled { .. }), "{ended:?}");
    let ended = account(1).timeout(Duration::from_secs(60)).hold(two.conn(), nothing).unwrap_err();
    assert!(matches!(ended, LockError::Canceled { .. }), "not our own limit: {ended:?}");
}
