//! Rows that nobody holds are locked, and missing ones missing, however short the call would wait.

use std::time::Duration;

use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver, goes_on_and_commits, keys, names, stale};
use crate::support::{
    driver::Session,
    models::{Account, Customer},
};

const LONG: Duration = Duration::from_secs(100);

/// G01, A03.
#[test]
fn a_missing_row_is_missing_also_with_a_timeout() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let error = session.timeout(&Account { id: 99, ..stale() }, LONG).unwrap_err();
    assert!(matches!(error, LockError::Missing { .. }), "{error:?}");
    let locked = session.lock_set(LockSet::new().ids::<Account>([99, 1]).allow_missing().timeout(LONG)).unwrap();
    assert_eq!((keys::<Account>(&locked), names(locked.missing())), (vec![1], vec!["Account 99".to_owned()]));
    goes_on_and_commits(&mut session);
    let outside = session.timeout(&stale(), LONG);
    assert!(matches!(outside, Err(LockError::NotInTransaction)), "{outside:?}");
}

/// D02.
#[test]
fn a_free_row_is_locked_as_usual() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    assert_eq!(session.no_wait(&stale()).unwrap().balance, 10);
    arena.assert_held("accounts", "id", &["1"]);
    // It is no contention with oneself, in a nested transaction either.
    session.begin().unwrap();
    session.execute("UPDATE accounts SET balance = 11 WHERE id = 1").unwrap();
    assert_eq!(session.no_wait(&stale()).unwrap().balance, 11);
    let locked = session.lock_set(LockSet::new().id::<Customer>(3).ids::<Account>([1, 2]).no_wait()).unwrap();
    assert_eq!((keys::<Account>(&locked), keys::<Customer>(&locked)), (vec![1, 2], vec![3]));
    arena.assert_held("accounts", "id", &["1", "2"]);
    arena.assert_held("customers", "id", &["3"]);
    session.commit().unwrap();
    session.commit().unwrap();
    let outside = session.no_wait(&stale());
    assert!(matches!(outside, Err(LockError::NotInTransaction)), "{outside:?}");
}
