//! Crowds: many sessions run together, and a hang is a failure with a message.

use std::time::Duration;

use super::{LOCK_1, panic_of};
use crate::{
    isolation::crowd,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
    },
};

#[test]
fn everybody_gets_a_turn() {
    let arena = Arena::new();
    let rounds = crowd::<Blocking, _>(&arena, 4, Duration::from_secs(60), |number, c| {
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

#[test]
fn a_crowd_that_hangs_is_ended() {
    let arena = Arena::new();
    let said = panic_of(|| {
        crowd::<Blocking, _>(&arena, 2, Duration::from_millis(300), |_, c| {
            // Whoever locks first keeps the row, and so the other one waiting, until its connection is closed.
            c.begin().expect("begins");
            let locked = c.execute(LOCK_1);
            c.execute("SELECT pg_sleep(600)").and(locked)
        });
    });
    assert!(said.starts_with("not through after 300ms"), "{said}");
}

#[test]
fn a_member_that_panics_fails_the_test() {
    let arena = Arena::new();
    let said = panic_of(|| {
        crowd::<Blocking, _>(&arena, 2, Duration::from_secs(60), |number, _| assert!(number == 0, "on purpose"));
    });
    assert_eq!(said, "on purpose");
}
