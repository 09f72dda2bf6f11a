//! What a set does with a caller who made a mistake: says so, names the rows, and leaves everything else alone.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet};

use super::{
    Arena, Driver, quoted,
    stale::{account, account_ids, accounts, job, summary},
};
use crate::support::{
    driver::Session,
    models::{Account, AccountSummary, Job, Seat, Tag},
    schema,
};

const NOBODY: [&str; 0] = [];

/// A06, A07.
#[test]
fn a_set_can_be_built_outside_a_transaction_and_only_running_it_is_refused() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let set = || LockSet::new().row(&account(1)).row(&job(1)).query::<Account>(schema::accounts::table.limit(2));
    let built_before = set();
    session.begin().unwrap();
    assert_eq!(account_ids(&session.lock_set(built_before).unwrap()), [1, 2]);
    arena.assert_held("accounts", "id", &["1", "2"]);
    session.commit().unwrap();

    let error = session.lock_set(set()).unwrap_err();
    assert!(matches!(error, LockError::NotInTransaction), "{error:?}");
    assert!(error.to_string().contains("connection.transaction"), "{error}");
    assert!(!error.is_retryable() && !error.transaction_is_lost());
    arena.assert_held("accounts", "id", &NOBODY);
}

/// A06.
#[test]
fn an_empty_set_outside_a_transaction_is_refused_like_any_other() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let error = session.lock_set(LockSet::new()).unwrap_err();
    assert!(matches!(error, LockError::NotInTransaction), "{error:?}");
}

/// A06.
#[test]
fn after_the_transaction_has_ended_a_set_is_refused_again() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for commit in [true, false] {
        session.begin().unwrap();
        session.lock_set(LockSet::new().row(&account(1))).unwrap();
        if commit { session.commit() } else { session.rollback() }.unwrap();
        let error = session.lock_set(LockSet::new().row(&account(1))).unwrap_err();
        assert!(matches!(error, LockError::NotInTransaction), "{error:?}");
    }
}

#[test]
fn an_empty_set_locks_nothing_and_comes_back_empty() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let locked = session.lock_set(LockSet::new()).unwrap();
    assert_eq!(account_ids(&locked), [0; 0]);
    assert!(locked.missing().is_empty());
    let locked = session.lock_set(LockSet::new().rows(&accounts([])).ids::<Job>(Vec::<i64>::new())).unwrap();
    assert!(matches!(locked.id::<Job>(1), Err(LockError::NotInSet { type_name: "Job", .. })));
    arena.assert_held("accounts", "id", &NOBODY);
    session.commit().unwrap();
}

/// H09.
#[test]
fn missing_rows_of_all_models_are_named_together_by_table_then_in_the_order_of_adding() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let set = || {
        LockSet::new()
            .ids::<Tag>(["no", "apple"])
            .ids::<Job>([99, 1, 98])
            .id::<Seat>(("Z".to_owned(), 1))
            .ids::<Account>([77, 66, 2, 77])
            .id::<Job>(97)
            .row(&summary(55))
    };
    let error = session.lock_set(set()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Account 77, Account 66, AccountSummary 55, Job 99, Job 98, Job 97, Seat (\"Z\", 1) and Tag \"no\" do not exist: \
         deleted since it was loaded, or never there"
    );
    let LockError::Missing { rows } = error else { panic!("{error:?}") };
    let tables: Vec<_> = rows.iter().map(|row| row.table()).collect();
    let expected = ["accounts", "accounts", "accounts", "jobs", "jobs", "jobs", "seats", "tags"].map(quoted);
    assert_eq!(tables, expected);

    // What exists is held, and the transaction goes on.
    arena.assert_held("accounts", "id", &["2"]);
    arena.assert_held("jobs", "id", &["1"]);
    arena.assert_held("tags", "name", &["apple"]);
    let locked = session.lock_set(set().allow_missing()).unwrap();
    assert_eq!(locked.missing(), rows);
    assert_eq!(account_ids(&locked), [2]);
    session.commit().unwrap();
}

/// H09.
#[test]
fn rows_that_may_be_missing_are_listed_and_looked_up_as_missing() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    // A query is no wish for a key: what it does not find is not missing.
    let nobody = schema::accounts::table.filter(schema::accounts::id.gt(90));
    let set = LockSet::new().ids::<Account>([1, 99]).query::<Account>(nobody).allow_missing();
    let mut locked = session.lock_set(set).unwrap();
    assert_eq!(locked.missing().iter().map(ToString::to_string).collect::<Vec<_>>(), ["Account 99"]);
    assert!(matches!(locked.id::<Account>(99), Err(LockError::Missing { rows }) if rows.len() == 1));
    assert!(matches!(locked.take_row(&account(99)), Err(LockError::Missing { .. })));
    // Missing as one model is not missing as another.
    assert!(matches!(locked.id::<AccountSummary>(99), Err(LockError::NotInSet { .. })));
    session.commit().unwrap();
}

#[test]
fn a_row_that_is_not_part_of_the_set_is_named() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let mut locked = session.lock_set(LockSet::new().ids::<Account>([1, 2])).unwrap();
    let error = locked.row(&account(3)).unwrap_err();
    assert!(error.to_string().starts_with("Account 3 is not part of this lock set"), "{error}");
    assert!(!error.is_retryable() && !error.transaction_is_lost());
    let LockError::NotInSet { type_name, key } = error else { panic!("{error:?}") };
    assert_eq!((type_name, key.get()), ("Account", Some(&3)));
    assert!(matches!(locked.id::<Seat>(("A".to_owned(), 1)), Err(LockError::NotInSet { type_name: "Seat", .. })));

    // Taken out, it is no longer there; the others are.
    assert_eq!(locked.take_id::<Account>(1).unwrap().owner, "ada");
    let again = locked.take_id::<Account>(1).unwrap_err();
    assert!(again.to_string().starts_with("Account 1 was already taken out of this lock set"), "{again}");
    assert!(matches!(locked.id::<Account>(1), Err(LockError::AlreadyTaken { type_name: "Account", .. })));
    assert_eq!(locked.id::<Account>(2).unwrap().owner, "ben");
    assert_eq!(locked.take_rows::<Account>().len(), 1);
    assert_eq!(locked.take_rows::<Account>().len(), 0);
    assert_eq!(locked.rows::<Account>().len(), 0);
    // The rows are taken out, not the locks.
    arena.assert_held("accounts", "id", &["1", "2"]);
    session.commit().unwrap();
}

#[test]
fn a_long_list_of_missing_rows_is_cut_in_the_message_and_whole_in_the_value() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let error = session.lock_set(LockSet::new().ids::<Account>(1..=1_000)).unwrap_err();
    assert!(error.to_string().contains("Account 25 and 975 more do not exist"), "{error}");
    let LockError::Missing { rows } = error else { panic!("{error:?}") };
    assert!(rows.iter().map(|row| row.key().get().copied()).eq((6..=1_000).map(Some)));
    session.commit().unwrap();
}
