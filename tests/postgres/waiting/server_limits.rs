//! The user's own `lock_timeout` and `statement_timeout` beside a timeout of the call, and an administrator's cancel.

use std::time::Duration;

use diesel_lockset::{LockError, LockSet};

use super::{beginner, holder, stale};
use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::{Account, Order},
    },
};

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(100);

/// Waits for account 1 with `setting` set in the session.
fn waits(arena: &Arena, setting: &'static str, timeout: Option<Duration>) -> LockError {
    let play = Play::<Blocking>::new(arena);
    let _holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let patient = play.session("patient");
    let waiting = patient.start(setting, move |s| {
        s.execute(setting).unwrap();
        s.begin().unwrap();
        let set = LockSet::new().id::<Order>(1).row(&stale());
        let error = match timeout {
            Some(timeout) => s.lock_set(set.timeout(timeout)).unwrap_err(),
            None => s.lock_set(set).unwrap_err(),
        };
        s.execute("SELECT 1").expect_err("the transaction is lost");
        s.rollback().unwrap();
        error
    });
    waiting.join()
}

/// G09, P08.
#[test]
fn a_shorter_statement_timeout_of_the_user_is_no_lock_error() {
    let arena = Arena::new();
    for timeout in [None, Some(SECOND), Some(LONG)] {
        let error = waits(&arena, "SET statement_timeout = '300ms'", timeout);
        assert!(matches!(error, LockError::Canceled { .. }), "{timeout:?}: {error:?}");
        assert!(error.transaction_is_lost() && !error.is_retryable() && !error.is_contended(), "{error:?}");
    }
}

/// G09, P03.
#[test]
fn a_shorter_lock_timeout_of_the_user_is_a_timeout() {
    let arena = Arena::new();
    for timeout in [None, Some(SECOND), Some(LONG)] {
        let error = waits(&arena, "SET lock_timeout = '300ms'", timeout);
        let LockError::TimedOut { attempt: Some(attempt), source: Some(_) } = &error else { panic!("{error:?}") };
        assert!((300..1000).contains(&attempt.waited().as_millis()), "{error:?}");
        assert!(error.transaction_is_lost() && !attempt.rolled_back(), "{error:?}");
    }
}

/// G09.
#[test]
fn longer_limits_of_the_user_do_not_lengthen_the_calls() {
    let arena = Arena::new();
    for setting in ["SET statement_timeout = '90s'", "SET lock_timeout = '1d'", "SET statement_timeout = 0"] {
        let error = waits(&arena, setting, Some(Duration::from_millis(300)));
        let LockError::TimedOut { attempt: Some(attempt), .. } = &error else { panic!("{setting}: {error:?}") };
        assert!((300..1000).contains(&attempt.waited().as_millis()), "{setting}: {error:?}");
    }
}

/// G09.
#[test]
fn with_holders_a_shorter_limit_of_the_user_leaves_the_transaction_as_the_error_says() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.id::<Account>(1));
    for (setting, canceled) in [("lock_timeout", false), ("statement_timeout", true)] {
        let patient = beginner(&play, setting);
        let waiting = patient.start("waits", move |s| {
            s.execute(&format!("SET LOCAL {setting} = '100ms'")).unwrap();
            let error = s.lock_set(LockSet::new().row(&stale()).timeout(LONG).name_holders()).unwrap_err();
            (error, s.execute("UPDATE accounts SET v = v + 1 WHERE id = 2").is_err())
        });
        let (error, is_lost) = waiting.join();
        assert_eq!(matches!(error, LockError::Canceled { .. }), canceled, "{error:?}");
        assert_eq!(error.transaction_is_lost(), is_lost, "{error:?}");
    }
}

/// G12, P08.
#[test]
fn a_wait_with_a_timeout_that_an_administrator_cancels_is_no_lock_error() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let patient = beginner(&play, "patient");
    let waiting = patient.start("waits", |s| {
        let error = s.timeout(&stale(), LONG).unwrap_err();
        s.rollback().unwrap();
        (error, s.number("SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'"))
    });
    waiting.blocked_by(&holder);
    arena.execute(&format!("SELECT pg_cancel_backend({})", patient.pid()));
    let (error, setting) = waiting.join();
    assert!(matches!(error, LockError::Canceled { .. }), "{error:?}");
    assert_eq!(setting, Ok(0));
    holder.run("commits", |s| s.execute("UPDATE accounts SET v = 1 WHERE id = 1").and_then(|_| s.commit())).unwrap();
    let row = patient.run("locks at last", |s| s.begin().map(|()| s.timeout(&stale(), LONG)));
    assert_eq!(row.unwrap().unwrap().v, 1);
}
