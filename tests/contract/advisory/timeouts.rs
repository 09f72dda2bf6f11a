//! Locks that are waited for a limited time.

use std::time::{Duration, Instant};

use diesel_lockset::LockError;

use super::{Arena, Driver, account, nothing, verbs::RunAdvisoryLock};
use crate::{isolation::Play, support::driver::Session};

const SHORT: Duration = Duration::from_millis(300);

/// K04.
#[test]
fn a_zero_timeout_and_a_try_ask_once() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let guard = account(1).acquire(one.conn()).unwrap();
    let sent = two.overhear();
    let refused = account(1).timeout(Duration::ZERO).hold(two.conn(), nothing).unwrap_err();
    assert!(matches!(refused, LockError::Contended { .. }), "{refused:?}");
    assert!(refused.to_string().contains("advisory lock \"Account|1\" is held"), "{refused}");
    assert_eq!(account(1).try_hold(two.conn(), nothing).unwrap(), None);
    assert_eq!(account(1).timeout(Duration::ZERO).try_hold(two.conn(), nothing).unwrap(), None);
    assert!(account(1).try_acquire(two.conn()).unwrap().is_none());
    assert_eq!(sent.take().len(), 4, "once each");
    drop(guard);
    account(1).timeout(Duration::ZERO).hold(two.conn(), nothing).unwrap();
    assert_eq!(account(1).try_hold(two.conn(), nothing).unwrap(), Some(()));
}

/// K05, K07.
#[test]
fn when_the_time_is_up_the_error_names_the_lock() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let _guard = account(1).scope("send").acquire(one.conn()).unwrap();
    let began = Instant::now();
    let lock = || account(1).scope("send").timeout(SHORT);
    let late = lock().hold(two.conn(), nothing).unwrap_err();
    assert!(began.elapsed() >= SHORT);
    let LockError::TimedOut { attempt: Some(attempt), .. } = &late else { panic!("{late:?}") };
    assert_eq!(attempt.advisory_lock(), Some("Account|1|send"));
    assert!(late.to_string().contains("waiting for the advisory lock \"Account|1|send\""), "{late}");
    // Those who need not have it are told so.
    assert_eq!(lock().try_hold(two.conn(), nothing).unwrap(), None);
    assert!(lock().try_acquire(two.conn()).unwrap().is_none());
    assert_eq!(two.number("SELECT 1"), Ok(1));
    assert_eq!(account(1).holders(two.conn()).unwrap(), []);
}

/// K05.
#[test]
fn released_in_time_it_is_had_at_once() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    one.run("locks", |s| std::mem::forget(account(1).acquire(s.conn()).unwrap()));
    let waiting = two.start("holds", |s| {
        let patient = account(1).timeout(Duration::from_secs(60));
        let held = patient.try_hold(s.conn(), |conn| Ok::<_, LockError>(Driver::execute_on(conn, "SELECT 1")?));
        held.unwrap()
    });
    waiting.blocked_by(&one);
    one.kill();
    assert_eq!(waiting.join(), Some(1));
    assert!(!account(1).is_held(Driver::connect(arena.url()).conn()).unwrap());
}
