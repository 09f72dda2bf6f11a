//! Transactions that may only read: nothing is locked in them.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet};

use super::{
    Arena, Driver,
    errors::{can_lock_after, lock},
    one_row::stale,
    pick::new_mail,
    stale::{account, account_ids, job},
    verbs::PickDsl,
};
use crate::support::{
    driver::Session,
    models::{Account, Job},
    schema::{accounts, jobs},
};

const NOBODY: [&str; 0] = [];

/// A23.
#[test]
fn a_read_only_transaction_is_refused_and_nothing_is_locked() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let sets: [fn() -> LockSet<'static, <Driver as Session>::Backend>; 3] = [
        || LockSet::new().row(&account(1)),
        || LockSet::new().query::<Account>(accounts::table),
        || LockSet::new().row(&job(1)).query::<Job>(jobs::table.limit(1)),
    ];
    for set in sets {
        session.begin_as("READ ONLY").unwrap();
        let error = session.lock_set(set()).unwrap_err();
        assert!(matches!(error, LockError::ReadOnly(_)), "{error:?}");
        assert!(error.transaction_is_lost() && !error.is_retryable());
        assert!(error.to_string().contains("read-only"), "{error}");
        arena.assert_held("accounts", "id", &NOBODY);
        session.rollback().unwrap();
    }
    session.begin().unwrap();
    assert_eq!(account_ids(&session.lock_set(LockSet::new().row(&account(1))).unwrap()), [1]);
    session.commit().unwrap();
}

/// A23.
#[test]
fn in_a_read_only_transaction_a_row_cannot_be_locked() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let verbs: [fn(&mut Driver) -> Option<LockError>; 5] = [
        |s| s.lock(&stale()).err(),
        |s| s.lock_by_id::<Account>(1).err(),
        |s| s.lock_set(LockSet::new().row(&stale()).no_wait()).err(),
        |s| s.lock_set(LockSet::new().query::<Account>(accounts::table)).err(),
        // No such row: still no reason to let it pass.
        |s| s.lock_set(LockSet::new().id::<Account>(99).allow_missing()).err(),
    ];
    for verb in verbs {
        session.begin_as("READ ONLY").unwrap();
        let error = verb(&mut session);
        let Some(LockError::ReadOnly(_)) = &error else { panic!("{error:?}") };
        session.rollback().unwrap();
    }
    session.begin().unwrap();
    session.lock(&stale()).unwrap();
}

/// O10.
#[test]
fn after_that_error_a_new_transaction_can_lock() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let fails = |s: &mut Driver| s.begin_as("READ ONLY").map_err(LockError::from).and_then(|()| lock(s, 1));
    can_lock_after(&arena, &mut session, "ReadOnly", fails, true);
}

/// A23.
#[test]
fn in_a_read_only_transaction_a_pick_is_read_only() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin_as("READ ONLY").unwrap();
    let refused = new_mail().pick_next::<Job>(session.conn());
    assert!(matches!(refused, Err(LockError::ReadOnly(_))), "{refused:?}");
    session.rollback().unwrap();
    session.begin_as("READ ONLY").unwrap();
    let refused = new_mail().claim::<Job, _>(1, jobs::status.eq("TAKEN"), session.conn());
    assert!(matches!(refused, Err(LockError::ReadOnly(_))), "{refused:?}");
}
