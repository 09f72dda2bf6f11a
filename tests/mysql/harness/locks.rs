//! Probes, and who waits for whom.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use diesel::connection::SimpleConnection;

use super::{Arena, LOCK_1, LOCK_2};
use crate::support::{
    mysql::MysqlFamily,
    patience::until,
    probe::Held,
    server::{Observer, Server},
};

#[test]
fn free_held_and_missing_are_told_apart() {
    let arena = Arena::new();
    let mut holder = arena.connect();
    holder.batch_execute(&format!("BEGIN; {LOCK_1}")).expect("locks 1");
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Held);
    assert_eq!(arena.probe("accounts", "id = 2"), Held::Free);
    assert_eq!(arena.probe("accounts", "id = 99"), Held::Missing);
    holder.batch_execute("COMMIT").expect("commits");
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
}

#[test]
fn uncommitted_changes_hold_and_uncommitted_rows_are_missing() {
    let arena = Arena::new();
    let mut holder = arena.connect();
    holder
        .batch_execute(
            "BEGIN; DELETE FROM accounts WHERE id = 1; UPDATE accounts SET balance = 0 WHERE id = 2; \
             INSERT INTO accounts (id, owner, balance) VALUES (6, 'new', 0)",
        )
        .expect("changes");
    assert_eq!(arena.held_keys("accounts", "id"), ["1", "2"]);
    assert_eq!(arena.probe("accounts", "id = 6"), Held::Missing);
}

#[test]
fn a_share_is_seen_by_probe_and_not_by_probe_share() {
    let arena = Arena::new();
    let mut holder = arena.connect();
    let seat = "(section, number) = ('A', 2)";
    holder.batch_execute(&format!("BEGIN; SELECT * FROM seats WHERE {seat} LOCK IN SHARE MODE")).expect("shares");
    assert_eq!(arena.probe("seats", seat), Held::Held);
    assert_eq!(arena.probe_share("seats", seat), Held::Free);
    assert_eq!(arena.held_keys("seats", "(section, number)"), ["(A,2)"]);
}

#[test]
fn a_probe_leaves_nothing_locked_and_a_gap_is_no_row() {
    let arena = Arena::new();
    let mut holder = arena.connect();
    // Under REPEATABLE READ this locks the gap in which the row would be.
    holder.batch_execute("BEGIN; SELECT id FROM accounts WHERE id = 99 FOR UPDATE").expect("locks a gap");
    assert_eq!(arena.probe("accounts", "id = 5"), Held::Free);
    assert_eq!(arena.probe("accounts", "id = 5"), Held::Free);
    assert_eq!(arena.held_keys("accounts", "id"), [""; 0]);
}

#[test]
fn a_probe_looks_at_one_row() {
    let arena = Arena::new();
    let looked = catch_unwind(AssertUnwindSafe(|| arena.probe("accounts", "true")));
    let said = looked.expect_err("five rows are no answer");
    assert_eq!(said.downcast_ref(), Some(&"`true` picks 5 rows of accounts: a probe looks at one".to_owned()));
}

#[test]
fn the_server_says_who_waits_for_whom() {
    let arena = Arena::new();
    let (mut observer, mut holder, mut waiter) = (arena.connect(), arena.connect(), arena.connect());
    let (holding, waiting) = (MysqlFamily::session_number(&mut holder), MysqlFamily::session_number(&mut waiter));
    holder.batch_execute(&format!("BEGIN; {LOCK_1}")).expect("locks 1");
    assert!(observer.blocked_by(waiting).is_empty());

    let update = thread::spawn(move || waiter.batch_execute("UPDATE accounts SET v = 1 WHERE id = 1"));
    let blockers = until(|| Some(observer.blocked_by(waiting)).filter(|blockers| !blockers.is_empty()));
    assert_eq!(blockers, Some(vec![holding]), "{}", observer.activity());
    assert!(observer.activity().contains("UPDATE accounts"), "{}", observer.activity());
    holder.batch_execute("COMMIT").expect("commits");
    update.join().expect("the waiter's thread").expect("the waiter goes on");
    // InnoDB keeps what it tells about waits for a tenth of a second.
    let over = until(|| observer.blocked_by(waiting).is_empty().then_some(()));
    assert_eq!(over, Some(()), "{}", observer.activity());
}

#[test]
fn everybody_in_the_queue_is_seen_also_when_several_tests_look_at_once() {
    let arena = Arena::new();
    let mut holder = arena.connect();
    let holding = MysqlFamily::session_number(&mut holder);
    holder.batch_execute(&format!("BEGIN; {LOCK_1}")).expect("locks 1");
    thread::scope(|scope| {
        let looks: Vec<_> = (0..3)
            .map(|_| {
                let (mut observer, mut waiter) = (arena.connect(), arena.connect());
                let waiting = MysqlFamily::session_number(&mut waiter);
                scope
                    .spawn(move || waiter.batch_execute(&format!("BEGIN; {LOCK_1}; COMMIT")).expect("locks 1 at last"));
                scope.spawn(move || until(|| observer.blocked_by(waiting).contains(&holding).then_some(())))
            })
            .collect();
        let seen: Vec<_> = looks.into_iter().map(|look| look.join().expect("a look")).collect();
        holder.batch_execute("COMMIT").expect("commits");
        assert_eq!(seen, [Some(()); 3]);
    });
}

#[test]
fn a_session_that_is_ended_frees_its_rows() {
    let arena = Arena::new();
    let (mut observer, mut holder) = (arena.connect(), arena.connect());
    holder.batch_execute(&format!("BEGIN; {LOCK_1}")).expect("locks 1");
    observer.terminate(MysqlFamily::session_number(&mut holder));
    assert!(arena.held_keys("accounts", "id").is_empty());
    holder.batch_execute("SELECT 1").expect_err("its connection is gone");
}

#[test]
fn a_deadlock_is_told_to_one_and_counted() {
    let (arena, beside) = (Arena::new(), Arena::new());
    let (mut observer, mut one, mut other) = (arena.connect(), arena.connect(), arena.connect());
    assert_eq!(arena.deadlocks(), 0);
    one.batch_execute(&format!("BEGIN; {LOCK_1}")).expect("locks 1");
    other.batch_execute(&format!("BEGIN; {LOCK_2}")).expect("locks 2");
    let number = MysqlFamily::session_number(&mut one);
    let crossing = thread::spawn(move || one.batch_execute(&format!("{LOCK_2}; COMMIT")));
    until(|| (!observer.blocked_by(number).is_empty()).then_some(())).expect("it waits");
    let second = other.batch_execute(&format!("{LOCK_1}; COMMIT"));
    drop(other);
    let first = crossing.join().expect("the thread");
    assert!(first.is_ok() != second.is_ok(), "one of the two is the victim: {first:?}, {second:?}");
    let error = first.and(second).expect_err("one of them").to_string();
    assert!(error.starts_with("Deadlock found when trying to get lock"), "{error}");
    assert_eq!([arena.deadlocks(), beside.deadlocks()], [1, 0]);
}
