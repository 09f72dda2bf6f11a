//! Sets of instances and keys: which rows are locked, and what comes back for them.

use diesel_lockset::{LockError, LockSet};

use super::{
    Arena, Driver,
    stale::{account, account_ids, accounts, job, seat, summary},
};
use crate::support::{
    driver::Session,
    models::{Account, AccountSummary, Job, Seat, Tag},
};

const NOBODY: [&str; 0] = [];

/// H01.
#[test]
fn every_member_is_locked_and_comes_back_fresh() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let locked = session.lock_set(LockSet::new().rows(&accounts([4, 1, 3]))).unwrap();
    arena.assert_held("accounts", "id", &["1", "3", "4"]);
    let found: Vec<_> = locked.rows::<Account>().iter().map(|a| (a.id, &*a.owner, a.balance, a.v)).collect();
    assert_eq!(found, [(1, "ada", 10, 0), (3, "cleo", 5, 0), (4, "dan", 40, 0)]);
    session.commit().unwrap();
    arena.assert_held("accounts", "id", &NOBODY);
}

/// H07.
#[test]
fn a_row_added_twice_is_locked_and_comes_back_once() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let (one, other) = (account(3), Account { owner: "loaded at another time".into(), ..account(3) });
    let set = LockSet::new().row(&one).row(&account(1)).row(&other).ids::<Account>([3, 3, 1]);
    let locked = session.lock_set(set).unwrap();
    assert_eq!(account_ids(&locked), [1, 3]);
    assert_eq!(locked.row(&one).unwrap(), locked.row(&other).unwrap());
    arena.assert_held("accounts", "id", &["1", "3"]);
    session.commit().unwrap();
}

/// H27.
#[test]
fn references_vectors_slices_arrays_and_iterators_are_taken() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let all = accounts([5, 4, 3]);
    let (id, ids) = (2, vec![2, 1]);
    let set = LockSet::new()
        .row(&account(1))
        .rows(vec![&all[0], &all[1]])
        .rows(&all)
        .rows(&all[1..])
        .rows(all.iter().filter(|account| account.id > 4))
        .rows(&[account(2)])
        .rows(Some(&account(2)))
        .rows(&Vec::<Account>::new())
        .id::<Account>(id)
        .id::<Account>(&id)
        .ids::<Account>(&ids)
        .ids::<Account>(ids)
        .ids::<Account>((1..3).rev());
    let locked = session.lock_set(set).unwrap();
    assert_eq!(account_ids(&locked), [1, 2, 3, 4, 5]);
    session.commit().unwrap();
}

/// H10.
#[test]
fn members_of_several_tables_come_back_as_their_own_types() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let (seat, job, account) = (seat("B", 1), job(2), account(4));
    let mut locked = session.lock_set(LockSet::new().row(&seat).row(&job).row(&account)).unwrap();
    assert_eq!(locked.row(&account).unwrap().owner, "dan");
    assert_eq!(locked.row(&job).unwrap().payload, "to ben");
    assert_eq!(locked.row(&seat).unwrap().holder, None);
    let (seat, job): (Seat, Job) = (locked.take_row(&seat).unwrap(), locked.take_id::<Job>(2).unwrap());
    assert_eq!((&*seat.section, seat.number, job.priority), ("B", 1, 20));
    arena.assert_held("accounts", "id", &["4"]);
    arena.assert_held("jobs", "id", &["2"]);
    arena.assert_held("seats", "(section, number)", &["(B,1)"]);
    session.commit().unwrap();
}

/// H12.
#[test]
fn rows_come_back_in_the_order_of_the_key_and_under_their_key() {
    let arena = Arena::new();
    let values: Vec<_> = (101..201).map(|id| format!("({id}, 'owner {id}', {})", id * 2)).collect();
    arena.execute(&format!("INSERT INTO accounts (id, owner, balance) VALUES {}", values.join(", ")));
    let mut session = Driver::connect(arena.url());
    let mut ids: Vec<i32> = (101..201).collect();
    for seed in 0..20 {
        fastrand::Rng::with_seed(seed).shuffle(&mut ids);
        session.begin().unwrap();
        let locked = session.lock_set(LockSet::new().ids::<Account>(&ids)).unwrap();
        assert_eq!(account_ids(&locked), (101..201).collect::<Vec<_>>());
        for id in &ids {
            assert_eq!(locked.id::<Account>(id).unwrap().balance, id * 2);
        }
        session.commit().unwrap();
    }
}

/// H09.
#[test]
fn a_missing_member_is_named_and_the_others_are_held_until_the_rollback() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let error = session.lock_set(LockSet::new().ids::<Account>([2, 99, 1])).unwrap_err();
    let LockError::Missing { rows } = &error else { panic!("{error:?}") };
    assert_eq!(rows.iter().map(|row| (row.type_name(), row.key().get())).collect::<Vec<_>>(), [("Account", Some(&99))]);
    assert_eq!(error.to_string(), "Account 99 does not exist: deleted since it was loaded, or never there");
    assert!(!error.is_retryable() && !error.transaction_is_lost());
    arena.assert_held("accounts", "id", &["1", "2"]);
    session.rollback().unwrap();
    arena.assert_held("accounts", "id", &NOBODY);
}

/// H22.
#[test]
fn two_models_of_one_table_share_the_locks_and_have_rows_of_their_own() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let set = LockSet::new().row(&summary(2)).row(&account(1)).row(&summary(1)).row(&account(4));
    let locked = session.lock_set(set).unwrap();
    assert_eq!(account_ids(&locked), [1, 4]);
    assert_eq!(
        locked.rows::<AccountSummary>(),
        [AccountSummary { id: 1, balance: 10 }, AccountSummary { id: 2, balance: 20 },]
    );
    assert!(matches!(locked.id::<Account>(2), Err(LockError::NotInSet { type_name: "Account", .. })));
    arena.assert_held("accounts", "id", &["1", "2", "4"]);
    session.commit().unwrap();
}

/// H26.
#[test]
fn a_second_set_locks_only_what_was_added_to_it() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let first = session.lock_set(LockSet::new().ids::<Account>([1, 2])).unwrap();
    session.begin().unwrap();
    let second = session.lock_set(LockSet::new().ids::<Account>([2, 3])).unwrap();
    assert_eq!([account_ids(&first), account_ids(&second)], [[1, 2], [2, 3]]);
    arena.assert_held("accounts", "id", &["1", "2", "3"]);
    assert!(matches!(second.id::<Account>(1), Err(LockError::NotInSet { .. })));
    session.commit().unwrap();
    session.commit().unwrap();
}

/// H02.
#[test]
fn text_keys_are_locked_in_the_order_of_the_server() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let names = ["apple", "Äpfel", "Zebra", "", "it's", "apple pie"];
    let mut locked = session.lock_set(LockSet::new().ids::<Tag>(names)).unwrap();
    let found: Vec<String> = locked.take_rows::<Tag>().into_iter().map(|tag| tag.name).collect();
    assert_eq!(found, arena.held_keys("tags", "name"));
    session.commit().unwrap();
}
