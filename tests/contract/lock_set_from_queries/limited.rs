//! Queries with `LIMIT` and `OFFSET`: only the rows they choose are locked.

use diesel::prelude::*;
use diesel_lockset::LockSet;

use super::{Arena, Driver, Form, account_ids, search};
use crate::support::{
    driver::Session,
    models::{Account, Parent},
    schema::{accounts, children, parents},
};

/// I08.
#[test]
fn only_the_chosen_rows_are_locked() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let forms: [(Form, &[i32]); 8] = [
        (("by key", || LockSet::new().query::<Account>(accounts::table.order(accounts::id).limit(1).offset(1))), &[2]),
        (
            ("boxed", || LockSet::new().query::<Account>(search(None, None, Some(1)).order(accounts::id).limit(2))),
            &[2, 3],
        ),
        (
            ("the other way round", || {
                LockSet::new().query::<Account>(accounts::table.order(accounts::id.desc()).limit(2))
            }),
            &[4, 5],
        ),
        (
            ("by balance", || {
                LockSet::new().query::<Account>(accounts::table.order(accounts::balance.desc()).limit(2))
            }),
            &[2, 4],
        ),
        (
            ("behind an offset", || {
                LockSet::new().query::<Account>(accounts::table.order(accounts::balance).limit(9).offset(3))
            }),
            &[2, 4],
        ),
        (
            ("beside a key", || {
                LockSet::new().query::<Account>(accounts::table.order(accounts::balance).limit(1)).id::<Account>(1)
            }),
            &[1, 5],
        ),
        (
            ("two of them", || {
                LockSet::new()
                    .query::<Account>(accounts::table.order(accounts::balance).limit(2))
                    .query::<Account>(accounts::table.order(accounts::id).limit(2).offset(2))
            }),
            &[3, 4, 5],
        ),
        (("none", || LockSet::new().query::<Account>(accounts::table.limit(0))), &[]),
    ];
    for ((form, set), expected) in forms {
        session.begin().unwrap();
        let locked = session.lock_set(set()).unwrap();
        assert_eq!(account_ids(&locked), expected, "{form}");
        let held: Vec<String> = expected.iter().map(i32::to_string).collect();
        if held.is_empty() {
            arena.assert_free("accounts", "id");
        } else {
            arena.assert_held("accounts", "id", &held);
        }
        session.rollback().unwrap();
    }
}

/// I08.
#[test]
fn a_limit_on_a_join_counts_the_rows_of_the_join() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let with_children = parents::table.inner_join(children::table).order(children::id).limit(2);
    let locked = session.lock_set(LockSet::new().query::<Parent>(with_children)).unwrap();
    let ids: Vec<i32> = locked.rows::<Parent>().iter().map(|parent| parent.id).collect();
    assert_eq!(ids, [1], "10 and 11 are both of parent 1");
    arena.assert_held("parents", "id", &["1"]);
    arena.assert_free("children", "id");
}
