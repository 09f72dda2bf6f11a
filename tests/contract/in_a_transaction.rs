//! Rows are locked in a transaction, and not outside of one.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver, one_row::stale};
use crate::support::{driver::Session, models::Account, schema::accounts};

/// A06.
#[test]
fn locking_outside_a_transaction_is_refused_and_nothing_is_sent() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    // Also after a transaction has ended.
    for end in [None, Some(Driver::commit as fn(&mut Driver) -> _), Some(Driver::rollback)] {
        if let Some(end) = end {
            session.begin().unwrap();
            session.lock(&stale()).unwrap();
            end(&mut session).unwrap();
        }
        sent.take();
        let refused = [
            session.lock(&stale()).err(),
            session.lock_by_id::<Account>(1).err(),
            session.lock_set(LockSet::new().row(&stale())).err(),
            session.lock_set(LockSet::new()).err(),
        ];
        for error in refused {
            assert!(matches!(error, Some(LockError::NotInTransaction)), "{error:?}");
            assert!(error.unwrap().to_string().starts_with("no transaction is open"));
        }
        assert_eq!(sent.take(), Vec::<String>::new());
    }
}

/// A06, A07.
#[test]
fn a_set_may_be_built_outside_a_transaction_but_not_run() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let ben = Account { id: 2, ..stale() };
    let sent = session.overhear();
    let build = || LockSet::new().row(&stale()).row(&ben).query::<Account>(accounts::table.filter(accounts::id.gt(3)));
    let (inside, outside) = (build(), build());
    assert_eq!(sent.take(), Vec::<String>::new());

    session.begin().unwrap();
    let locked = session.lock_set(inside).unwrap();
    assert_eq!(locked.rows::<Account>().iter().map(|account| account.id).collect::<Vec<_>>(), [1, 2, 4, 5]);
    arena.assert_held("accounts", "id", &["1", "2", "4", "5"]);
    session.commit().unwrap();
    sent.take();

    let refused = session.lock_set(outside).unwrap_err();
    assert!(matches!(refused, LockError::NotInTransaction), "{refused:?}");
    assert_eq!(sent.take(), Vec::<String>::new());
    arena.assert_held("accounts", "id", &[""; 0]);
}
