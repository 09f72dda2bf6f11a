//! Rows that must be as their instances say.

use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver};
use crate::support::{
    driver::Session,
    models::{Account, Seat},
};

pub(super) fn ada() -> Account {
    Account { id: 1, owner: "ada".into(), balance: 10, v: 0 }
}

#[test]
fn a_row_that_is_as_it_was_loaded_is_locked_by_no_statement_more() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let mut sent = Vec::new();
    // On MySQL and MariaDB the first set of a session asks about the tables.
    for unchanged in [false, false, true] {
        session.begin().unwrap();
        let heard = session.overhear();
        let set = LockSet::new().id::<Account>(2);
        let set = if unchanged { set.unchanged(&ada()) } else { set.row(&ada()) };
        let locked = session.lock_set(set).unwrap();
        assert_eq!((locked.id::<Account>(1).unwrap(), locked.rows::<Account>().len()), (&ada(), 2));
        sent.push(heard.take());
        session.rollback().unwrap();
    }
    assert_eq!(sent[1], sent[2]);
}

#[test]
fn every_stale_row_of_every_model_is_named() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let ben: Account = session.lock_by_id(2).unwrap();
    let seat: Seat = session.lock_by_id(("A".to_owned(), 1)).unwrap();
    let poorer = Account { balance: ben.balance - 1, ..ben.clone() };
    let set = LockSet::new().unchanged(&poorer).unchanged(&seat).unchanged(&Account { v: 3, ..ada() }).no_wait();
    let error = session.lock_set(set).unwrap_err();
    let LockError::Stale { rows } = &error else { panic!("{error:?}") };
    let keys: Vec<_> = rows.iter().map(|stale| stale.row.key_of::<Account>().copied()).collect();
    assert_eq!(keys, [Some(2), Some(1)]);
    assert!(error.to_string().contains("have changed since"), "{error}");
    // Asked for twice, as it is and as it was.
    let set = LockSet::new().unchanged(&ada()).unchanged(&Account { v: 3, ..ada() });
    assert!(matches!(session.lock_set(set), Err(LockError::Stale { rows }) if rows.len() == 1));
}

#[test]
fn a_row_that_is_gone_is_missing_and_not_stale() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let gone = Account { id: 77, ..ada() };
    let error = session.lock_set(LockSet::new().unchanged(&gone)).unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    let locked = session.lock_set(LockSet::new().unchanged(&gone).allow_missing()).unwrap();
    assert_eq!(locked.missing().len(), 1);
}
