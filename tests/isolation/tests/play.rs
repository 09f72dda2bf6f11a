//! Plays: steps go through, wait, go on, fail, and never hang.

use super::{LOCK_1, LOCK_2, panic_of};
use crate::{
    isolation::{Play, assert_text},
    support::{
        arena::Arena,
        driver::{Blocking, Pooled, Session},
        postgres::Postgres,
        probe::Held,
    },
};

fn waits_and_goes_on<S: Session<Server = Postgres>>() {
    let arena = Arena::new();
    let play = Play::<S>::new(&arena);
    let (s1, s2) = (play.session("s1"), play.session("s2"));
    s1.run("begins", |c| c.begin()).expect("begins");
    s1.run("locks 1", |c| c.execute(LOCK_1)).expect("locks");
    let got = s2.start("locks 1 too", |c| c.execute(LOCK_1));
    got.blocked_by(&s1);
    assert!(got.still_blocked());
    assert!(!got.has_ended());
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Held);
    s1.run("commits", |c| c.commit()).expect("commits");
    assert!(!got.still_blocked());
    assert_eq!(got.join(), Ok(1));
    let lines: Vec<String> = play.transcript().lines().map(str::to_owned).collect();
    // The end of the waiting step and the end of the step that set it free come in either order.
    assert_text(
        lines[..7].join("\n"),
        "s1: begins ..
         s1: begins = Ok(())
         s1: locks 1 ..
         s1: locks 1 = Ok(1)
         s2: locks 1 too ..
         s2: locks 1 too waits for s1
         s1: commits ..",
    );
    assert_eq!(lines.len(), 9);
}

#[test]
fn a_step_waits_and_goes_on() {
    waits_and_goes_on::<Blocking>();
    waits_and_goes_on::<Pooled>();
}

#[test]
fn a_step_that_should_go_through_but_waits_fails_with_the_transcript() {
    let arena = Arena::new();
    let said = panic_of(|| {
        let play = Play::<Blocking>::new(&arena);
        let (s1, s2) = (play.session("s1"), play.session("s2"));
        s1.run("begins", |c| c.begin()).expect("begins");
        s1.run("locks 1", |c| c.execute(LOCK_1)).expect("locks");
        let _ = s2.run("locks 1 too", |c| c.execute(LOCK_1));
    });
    assert!(
        said.starts_with("s2: locks 1 too: should have gone through, but waits for s1\n--- transcript\n"),
        "{said}"
    );
    assert!(said.contains("s1: locks 1 = Ok(1)\n"), "{said}");
    assert!(said.contains("idle in transaction: SELECT FROM accounts WHERE id = 1 FOR UPDATE"), "{said}");
}

#[test]
fn a_step_that_should_wait_but_goes_through_fails_with_the_transcript() {
    let arena = Arena::new();
    let said = panic_of(|| {
        let play = Play::<Blocking>::new(&arena);
        let (s1, s2) = (play.session("s1"), play.session("s2"));
        s2.start("locks 1", |c| c.execute(LOCK_1)).blocked_by(&s1);
    });
    assert!(said.starts_with("s2: locks 1: should wait for s1, but has ended\n--- transcript\n"), "{said}");
}

#[test]
fn an_assertion_in_a_step_fails_the_test_joined_or_not() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let s1 = play.session("s1");
    assert_eq!(panic_of(|| s1.run("runs", |_| panic!("on purpose"))), "on purpose");
    let pending = s1.start("starts", |_| panic!("on purpose, later"));
    assert!(!pending.still_blocked());
    assert_eq!(panic_of(|| drop::<crate::isolation::Pending<()>>(pending)), "on purpose, later");
    assert_eq!(s1.run("goes on", |c| c.number("SELECT 1")), Ok(1));
}

#[test]
fn a_test_that_ends_early_ends_what_still_waits() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (s1, s2) = (play.session("s1"), play.session("s2"));
    s1.run("begins", |c| c.begin()).expect("begins");
    s1.run("locks 1", |c| c.execute(LOCK_1)).expect("locks");
    s2.start("locks 1 too", |c| c.execute(LOCK_1)).blocked_by(&s1);
    drop(s2);
    drop(s1);
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
}

#[test]
fn one_of_two_in_a_deadlock_fails() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (s1, s2) = (play.session("s1"), play.session("s2"));
    for (session, lock) in [(&s1, LOCK_1), (&s2, LOCK_2)] {
        session.run("begins", |c| c.begin()).expect("begins");
        session.run("locks", move |c| c.execute(lock)).expect("locks");
    }
    let first = s1.start("locks 2", |c| c.execute(LOCK_2).and_then(|_| c.commit()));
    first.blocked_by(&s2);
    let second = s2.start("locks 1", |c| c.execute(LOCK_1).and_then(|_| c.commit()));
    let (first, second) = (first.join(), second.join());
    assert!(first.is_ok() != second.is_ok(), "{first:?}, {second:?}");
    let error = first.and(second).expect_err("one of them").to_string();
    assert_eq!(error, "deadlock detected");
    drop((s1, s2, play));
    assert_eq!(arena.deadlocks(), 1);
}

#[test]
fn a_killed_session_lets_the_waiter_go_on() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (s1, s2) = (play.session("s1"), play.session("s2"));
    s1.run("begins", |c| c.begin()).expect("begins");
    s1.run("locks 1", |c| c.execute(LOCK_1)).expect("locks");
    let got = s2.start("locks 1 too", |c| c.execute(LOCK_1));
    got.blocked_by(&s1);
    s1.kill();
    assert_eq!(got.join(), Ok(1));
    s1.run("goes on", |c| c.number("SELECT 1")).expect_err("its connection is gone");
}
