//! The rows that queries choose, alone and beside instances, are those that are locked and returned.

use diesel::prelude::*;
use diesel_lockset::LockSet;

use super::{Arena, Driver, Form, account, account_ids, assert_sent, job_ids, search};
use crate::support::{
    driver::Session,
    models::{Account, Job},
    schema::{accounts, jobs},
};

/// I01.
#[test]
fn a_boxed_query_with_filters_chosen_at_run_time_locks_what_it_matches_and_returns_it() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let owners: &[&str] = &["eve", "cleo", "ada", "nobody"];
    for (filters, expected) in [
        (search(None, None, None), &[1, 2, 3, 4, 5][..]),
        (search(Some(10), None, None), &[1, 2, 4]),
        (search(None, Some(owners), None), &[1, 3, 5]),
        (search(None, None, Some(3)), &[1, 2, 4, 5]),
        (search(Some(5), Some(owners), None), &[1, 3]),
        (search(Some(20), None, Some(2)), &[4]),
        (search(None, Some(owners), Some(1)), &[3, 5]),
        (search(Some(5), Some(owners), Some(1)), &[3]),
    ] {
        session.begin().unwrap();
        let locked = session.lock_set(LockSet::new().query::<Account>(filters)).unwrap();
        assert_eq!(account_ids(&locked), expected);
        assert_eq!(locked.rows::<Account>()[0].v, 0, "the rows are those of the table");
        let held: Vec<String> = expected.iter().map(i32::to_string).collect();
        arena.assert_held("accounts", "id", &held);
        session.rollback().unwrap();
        assert!(arena.held_keys("accounts", "id").is_empty());
    }
}

/// I02.
#[test]
fn instances_and_queries_in_one_set_lock_each_row_once() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    let rich = || accounts::table.filter(accounts::balance.gt(9));
    let forms: [Form; 4] = [
        ("the instance first", || LockSet::new().row(&account(2)).query::<Account>(search(Some(10), None, None))),
        ("the query first", || LockSet::new().query::<Account>(search(Some(10), None, None)).row(&account(2))),
        ("twice the query", || {
            LockSet::new()
                .query::<Account>(search(Some(10), None, None))
                .ids::<Account>([2, 2])
                .query::<Account>(accounts::table.filter(accounts::balance.gt(9)).filter(accounts::id.gt(1)))
        }),
        ("queries that overlap", || {
            LockSet::new()
                .query::<Account>(accounts::table.filter(accounts::balance.gt(15)))
                .query::<Account>(accounts::table.filter(accounts::balance.between(10, 30)).into_boxed())
        }),
    ];
    for (form, set) in forms {
        session.begin().unwrap();
        sent.take();
        let locked = session.lock_set(set()).unwrap();
        assert_sent(sent.take().len(), 1, form);
        assert_eq!(account_ids(&locked), [1, 2, 4], "{form}");
        assert_eq!(locked.row(&account(2)).unwrap().owner, "ben", "{form}");
        arena.assert_held("accounts", "id", &["1", "2", "4"]);
        session.rollback().unwrap();
    }
    session.begin().unwrap();
    let locked = session.lock_set(LockSet::new().row(&account(5)).query::<Account>(rich())).unwrap();
    assert_eq!(account_ids(&locked), [1, 2, 4, 5], "an instance that no query matches is in the set all the same");
}

/// I05.
#[test]
fn a_query_that_matches_nothing_is_fine() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let nothing = || jobs::table.filter(jobs::queue.eq("no such queue"));

    session.begin().unwrap();
    let locked = session.lock_set(LockSet::new().query::<Job>(nothing())).unwrap();
    assert!(locked.rows::<Job>().is_empty() && locked.missing().is_empty());

    let locked = session.lock_set(LockSet::new().query::<Job>(nothing().limit(3)).id::<Job>(2)).unwrap();
    assert_eq!(job_ids(&locked), [2]);

    let set = LockSet::new().row(&account(1)).query::<Job>(nothing().into_boxed()).query::<Job>(jobs::table.find(4));
    let locked = session.lock_set(set).unwrap();
    assert_eq!((account_ids(&locked), job_ids(&locked)), (vec![1], vec![4]));
    arena.assert_held("jobs", "id", &["2", "4"]);
    arena.assert_held("accounts", "id", &["1"]);
}
