//! `BEGIN` and `COMMIT` sent as raw statements: no row lock is lost without a word.

use diesel_lockset::{LockError, LockSet};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
    models::Account,
};

/// A06.
#[test]
fn a_transaction_that_diesel_does_not_know_of_does_not_count() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.execute("BEGIN").unwrap();
    let refused = session.lock_by_id::<Account>(1);
    assert!(matches!(refused, Err(LockError::NotInTransaction)), "{refused:?}");
    assert!(arena.held_keys("accounts", "id").is_empty());
}

/// A06.
#[test]
fn after_a_raw_commit_or_rollback_there_is_no_transaction_to_lock_in() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    for end in ["COMMIT", "ROLLBACK"] {
        session.begin().unwrap();
        session.lock_by_id::<Account>(1).unwrap();
        session.execute(end).unwrap();
        let refused = session.lock_set(LockSet::new().id::<Account>(2));
        assert!(matches!(refused, Err(LockError::NotInTransaction)), "{end}: {refused:?}");
        assert!(arena.held_keys("accounts", "id").is_empty());
    }
}
