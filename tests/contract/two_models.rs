//! Two Rust types over one table: one table to a lock set.

use diesel::prelude::*;
use diesel_lockset::{LockSet, Locked};

use super::{Arena, Driver};
use crate::support::{
    driver::Session,
    models::{Account, AccountSummary},
    schema::accounts,
};

fn summaries(locked: &Locked) -> Vec<(i32, i32)> {
    locked.rows::<AccountSummary>().iter().map(|row| (row.id, row.balance)).collect()
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
    super::assert_sent(sent.take().len(), 1, "both models");
    assert_eq!(summaries(&locked), [(2, 20), (4, 40)]);
    assert_eq!(locked.rows::<Account>().iter().map(|row| row.id).collect::<Vec<_>>(), [4, 5]);
    arena.assert_held("accounts", "id", &["2", "4", "5"]);
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
