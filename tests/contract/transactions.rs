//! Lock sets in nested transactions, and after an error.

use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver};
use crate::support::{
    driver::Session,
    models::{Account, Job},
};

/// O02.
#[test]
fn a_nested_transaction_that_commits_passes_its_locks_to_the_outer_one() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for outer_commits in [false, true] {
        session.begin().unwrap();
        session.lock_by_id::<Account>(1).unwrap();
        session.begin().unwrap();
        session.lock_set(LockSet::new().id::<Account>(2).id::<Job>(3)).unwrap();
        session.commit().unwrap();
        arena.assert_held("accounts", "id", &["1", "2"]);
        arena.assert_held("jobs", "id", &["3"]);
        if outer_commits {
            session.commit().unwrap();
        } else {
            session.rollback().unwrap();
        }
        assert!(arena.held_keys("accounts", "id").is_empty());
        assert!(arena.held_keys("jobs", "id").is_empty());
    }
}

/// Locks account 1 in a transaction of its own, as if nothing had happened before.
fn works(session: &mut Driver) {
    session.begin().unwrap();
    assert_eq!(session.lock_by_id::<Account>(1).unwrap().owner, "ada");
    session.commit().unwrap();
}

/// O10.
#[test]
fn the_connection_works_after_an_error() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());

    let error = session.lock_by_id::<Account>(1).unwrap_err();
    assert!(matches!(error, LockError::NotInTransaction), "{error:?}");
    works(&mut session);

    session.begin().unwrap();
    let error = session.lock_by_id::<Account>(99).unwrap_err();
    assert!(matches!(error, LockError::Missing { .. }) && !error.transaction_is_lost(), "{error:?}");
    session.lock_by_id::<Account>(2).unwrap();
    session.rollback().unwrap();
    works(&mut session);
}
