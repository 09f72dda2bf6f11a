//! A lock on the table as a whole is no row lock: only a timeout ends the wait for it.

use std::time::Duration;

use diesel_lockset::{LockError, LockSet};

use super::{beginner, stale};
use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::Account,
    },
};

/// D09.
#[test]
fn a_table_lock_is_waited_for_without_a_wait_for_rows_and_ends_with_a_timeout() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let owner = beginner(&play, "owner");
    owner.run("locks the table", |s| s.execute("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")).unwrap();
    let patient = beginner(&play, "patient");
    let waiting = patient.start("waits", |s| {
        let error = s.timeout(&stale(), Duration::from_millis(300)).unwrap_err();
        s.rollback().unwrap();
        error
    });
    let error = waiting.join();
    let LockError::TimedOut { attempt: Some(attempt), .. } = &error else { panic!("{error:?}") };
    assert!((300..1000).contains(&attempt.waited().as_millis()), "{error:?}");

    let (hasty, skipper) = (beginner(&play, "hasty"), beginner(&play, "skipper"));
    let waiting = [
        hasty.start("does not wait for rows", |s| s.no_wait(&stale()).map(drop)),
        skipper.start("skips rows", |s| s.lock_set(LockSet::new().id::<Account>(1).skip_locked()).map(drop)),
    ];
    waiting[0].blocked_by(&owner);
    waiting[1].blocked_by(&owner);
    owner.run("commits", |s| s.commit()).unwrap();
    // Now the two of them are alone with the row: each gets it, or finds that the other one has it.
    for waiting in waiting {
        let end = waiting.join();
        assert!(matches!(end, Ok(()) | Err(LockError::Contended { .. })), "{end:?}");
    }
}
