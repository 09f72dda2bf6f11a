//! Two Rust types over one table: one table to a lock set.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet};

use super::Driver;
use crate::{
    isolation::{Play, crowd},
    support::{
        arena::Arena,
        driver::Session,
        models::{Account, AccountSummary},
        probe::Held,
        schema::accounts,
        waits::deadlocks,
    },
};

fn summaries(locked: &diesel_lockset::Locked) -> Vec<(i32, i32)> {
    locked.rows::<AccountSummary>().iter().map(|row| (row.id, row.balance)).collect()
}

/// H22.
#[test]
fn two_models_of_one_table_share_a_statement_and_each_gets_its_own_rows() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    session.begin().unwrap();
    sent.take();
    let stale = AccountSummary { id: 2, balance: -1 };
    let set = LockSet::new().id::<Account>(1).row(&stale).ids::<AccountSummary>([1, 2]);
    let locked = session.lock_set(set).unwrap();
    assert_eq!(sent.take().len(), 1);
    assert_eq!(locked.rows::<Account>().iter().map(|row| row.owner.as_str()).collect::<Vec<_>>(), ["ada"]);
    assert_eq!(summaries(&locked), [(1, 10), (2, 20)]);
    let error = locked.id::<Account>(2).unwrap_err();
    assert!(matches!(error, LockError::NotInSet { type_name: "Account", .. }), "{error:?}");
    assert_eq!(arena.held_keys("accounts", "id"), ["1", "2"]);
}

/// H22.
#[test]
fn keys_of_one_model_and_a_query_of_the_other_are_merged() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    session.begin().unwrap();
    sent.take();
    let rich = accounts::table.filter(accounts::balance.gt(9)).order(accounts::balance.desc()).limit(2);
    let locked = session.lock_set(LockSet::new().query::<AccountSummary>(rich).ids::<Account>([4, 5])).unwrap();
    assert_eq!(sent.take().len(), 1);
    assert_eq!(summaries(&locked), [(2, 20), (4, 40)]);
    assert_eq!(locked.rows::<Account>().iter().map(|row| row.id).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(arena.held_keys("accounts", "id"), ["2", "4", "5"]);
}

/// H22.
#[test]
fn a_row_that_is_missing_is_named_under_each_model_that_asked_for_it() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let set = LockSet::new().ids::<AccountSummary>([1, 99]).ids::<Account>([99, 2]).allow_missing();
    let locked = session.lock_set(set).unwrap();
    let names: Vec<String> = locked.missing().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["AccountSummary 99", "Account 99"]);
    assert_eq!((summaries(&locked), locked.rows::<Account>().len()), (vec![(1, 10)], 1));
}

/// H22.
#[test]
fn the_rows_of_both_models_are_locked_in_one_order_at_the_strongest_strength() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (outsider, locker) = (play.session("outsider"), play.session("locker"));
    outsider.run("holds 3", |s| {
        s.begin().unwrap();
        s.lock_by_id::<Account>(3).unwrap();
    });
    let waiting = locker.start("locks 5 and 3 as one model, 1 as the other", |s| {
        s.begin().unwrap();
        let set = LockSet::new().for_share().ids::<Account>([5, 3]).for_update().id::<AccountSummary>(1);
        s.lock_set(set).unwrap().rows::<Account>().len()
    });
    waiting.blocked_by(&outsider);
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Held);
    assert_eq!(arena.probe("accounts", "id = 5"), Held::Free);
    outsider.run("ends", |s| s.rollback()).unwrap();
    assert_eq!(waiting.join(), 2);
    assert_eq!(arena.probe_share("accounts", "id = 5"), Held::Held, "shared alone, but its table is not");
}

/// H22.
#[test]
fn two_models_mixed_in_opposite_orders_never_deadlock() {
    const ROUNDS: usize = 100;
    let arena = Arena::new();
    crowd::<Driver, ()>(&arena, 4, Duration::from_secs(60), |number, session| {
        for round in 0..ROUNDS {
            let set = match (number + round) % 2 {
                0 => LockSet::new().ids::<Account>([1, 3]).ids::<AccountSummary>([2, 4]),
                _ => LockSet::new().ids::<AccountSummary>([4, 3, 1]).ids::<Account>([4, 2, 1]),
            };
            session.begin().unwrap();
            session.lock_set(set).unwrap();
            session.execute("UPDATE accounts SET v = v + 1 WHERE id = 4").unwrap();
            session.commit().unwrap();
        }
    });
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 4"), 400);
    assert_eq!(deadlocks(&mut arena.pg()), 0);
}
