//! Two Rust types over one table: one table to a lock set.

use diesel::prelude::*;
use diesel_lockset::{LockSet, Locked};

use super::{Arena, Driver};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, AccountSummary},
        probe::Held,
        schema::accounts,
    },
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
