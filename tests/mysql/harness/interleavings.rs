//! Plays, scripts and crowds, tried with raw SQL: the same as on PostgreSQL, on another server.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error};

use super::{Arena, LOCK_1, LOCK_2};
use crate::{
    isolation::{Play, Script, assert_text, crowd},
    support::{
        driver::{MysqlBlocking, MysqlPooled, Session},
        mysql::MysqlFamily,
        probe::Held,
    },
};

fn waits_and_goes_on<S: Session<Server = MysqlFamily>>() {
    let arena = Arena::new();
    let play = Play::<S>::new(&arena);
    let (s1, s2) = (play.session("s1"), play.session("s2"));
    s1.run("begins", |c| c.begin()).expect("begins");
    s1.run("locks 1", |c| c.execute(LOCK_1)).expect("locks");
    let got = s2.start("locks 1 too", |c| c.execute(LOCK_1));
    got.blocked_by(&s1);
    assert!(got.still_blocked());
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Held);
    s1.run("commits", |c| c.commit()).expect("commits");
    assert!(!got.still_blocked());
    assert_eq!(got.join(), Ok(1));
}

#[test]
fn a_step_waits_and_goes_on() {
    waits_and_goes_on::<MysqlBlocking>();
    waits_and_goes_on::<MysqlPooled>();
}

#[test]
fn a_killed_session_lets_the_waiter_go_on() {
    let arena = Arena::new();
    let play = Play::<MysqlBlocking>::new(&arena);
    let (s1, s2) = (play.session("s1"), play.session("s2"));
    s1.run("begins", |c| c.begin()).expect("begins");
    s1.run("locks 1", |c| c.execute(LOCK_1)).expect("locks");
    let got = s2.start("locks 1 too", |c| c.execute(LOCK_1));
    got.blocked_by(&s1);
    s1.kill();
    assert_eq!(got.join(), Ok(1));
    s1.run("goes on", |c| c.number("SELECT 1")).expect_err("its connection is gone");
}

#[test]
fn a_test_that_ends_early_ends_what_still_waits() {
    let arena = Arena::new();
    let play = Play::<MysqlBlocking>::new(&arena);
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
    let play = Play::<MysqlBlocking>::new(&arena);
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
    // 1213, as Diesel tells it.
    let error = first.and(second).expect_err("one of them");
    let Error::DatabaseError(DatabaseErrorKind::SerializationFailure, said) = &error else { panic!("{error:?}") };
    assert!(said.message().starts_with("Deadlock found when trying to get lock"), "{error:?}");
    drop((s1, s2, play));
    assert_eq!(arena.deadlocks(), 1);
}

#[test]
fn a_script_tells_who_waits() {
    let add = "UPDATE accounts SET balance = balance + 1 WHERE id = 1";
    let runs = Script::<MysqlBlocking>::new()
        .setup("UPDATE accounts SET balance = 10 WHERE id = 1")
        .session("s1")
        .step("begin", |c| c.begin())
        .step("add", move |c| c.execute(add))
        .step("commit", |c| c.commit())
        .session("s2")
        .step("add", move |c| c.execute(add))
        .step("look", |c| c.number("SELECT balance FROM accounts WHERE id = 1"))
        .these(&Arena::new(), &["s1.begin s1.add s2.add s1.commit s2.look", "s2.add s2.look"]);
    assert_text(
        runs,
        "permutation: s1.begin s1.add s2.add s1.commit s2.look
         s1.begin: done
         s1.add: done 1
         s2.add: waits for s1
         s1.commit: done
         s2.add: at last done 1
         s2.look: done 12

         permutation: s2.add s2.look
         s2.add: done 1
         s2.look: done 11",
    );
}

#[test]
fn all_orders_of_two_lockers() {
    let arena = Arena::new();
    let locker = |script: Script<MysqlBlocking>, name| {
        let script = script.session(name).step("begin", |c| c.begin());
        script.step("lock", |c| c.execute(LOCK_1)).step("commit", |c| c.commit())
    };
    let runs = locker(locker(Script::new(), "s1"), "s2").all(&arena);
    assert_eq!((runs.0.len(), runs.possible().count()), (20, 14));
    assert!(runs.possible().all(|run| run.failed().is_empty()), "{runs}");
    assert!(arena.held_keys("accounts", "id").is_empty());
}

#[test]
fn everybody_in_a_crowd_gets_a_turn() {
    let arena = Arena::new();
    let rounds = crowd::<MysqlBlocking, _>(&arena, 4, Duration::from_secs(60), |number, c| {
        for _ in 0..10 {
            c.begin().expect("begins");
            c.execute(LOCK_1).expect("locks");
            c.execute("UPDATE accounts SET balance = balance + 1 WHERE id = 1").expect("adds");
            c.commit().expect("commits");
        }
        number
    });
    assert_eq!(rounds, [0, 1, 2, 3]);
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 1"), 50);
}
