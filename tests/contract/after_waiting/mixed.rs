//! Instances beside queries, and two models over one table: to each what it asked for.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet};

use super::{
    Driver, Scene,
    stale::{account, account_ids, job, job_ids, summary},
};
use crate::support::{
    driver::Session,
    models::{Account, AccountSummary, Job},
    schema::{accounts, jobs},
};

/// F02.
#[test]
fn an_instance_stays_when_it_leaves_the_query() {
    let scene = Scene::new();
    let jobs = scene.after("UPDATE jobs SET status = 'DONE' WHERE id = 2", |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW"));
        let locked = s.lock_set(LockSet::new().query::<Job>(new).row(&job(2)).row(&job(5))).unwrap();
        locked.rows::<Job>().iter().map(|job| (job.id, job.status.clone())).collect::<Vec<_>>()
    });
    let expected = [(1, "NEW"), (2, "DONE"), (3, "NEW"), (4, "NEW"), (5, "DONE")];
    assert_eq!(jobs, expected.map(|(id, status)| (id, status.to_owned())));
}

/// F02.
#[test]
fn a_row_leaves_the_query_and_the_instances_stay() {
    let scene = Scene::new();
    let jobs = scene.after("UPDATE jobs SET status = 'DONE' WHERE id = 2", |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW"));
        job_ids(&s.lock_set(LockSet::new().row(&job(5)).query::<Job>(new).row(&job(1))).unwrap())
    });
    assert_eq!(jobs, [1, 3, 4, 5]);
}

/// F04.
#[test]
fn a_deleted_instance_is_missing_although_a_query_chose_it_too() {
    let scene = Scene::new();
    let error = scene.after("DELETE FROM jobs WHERE id IN (2, 3)", |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW"));
        s.lock_set(LockSet::new().query::<Job>(new).row(&job(2)).row(&job(5))).map(|locked| job_ids(&locked))
    });
    let error = error.unwrap_err();
    // 3 was only chosen by the query: nobody misses it.
    assert_eq!(error.to_string(), "Job 2 does not exist: deleted since it was loaded, or never there");
}

/// F01, F02, H22.
#[test]
fn a_row_leaves_one_model_and_stays_with_the_other() {
    let scene = Scene::new();
    let (accounts, summaries) = scene.after("UPDATE accounts SET balance = 1 WHERE id = 2", |s| {
        let rich = accounts::table.filter(accounts::balance.gt(9));
        let set = LockSet::new().query::<Account>(rich).ids::<AccountSummary>([2, 5]);
        let mut locked = s.lock_set(set).unwrap();
        (account_ids(&locked), locked.take_rows::<AccountSummary>())
    });
    assert_eq!(accounts, [1, 4]);
    assert_eq!(summaries, [AccountSummary { id: 2, balance: 1 }, AccountSummary { id: 5, balance: 0 }]);
    assert_eq!(scene.held("accounts", "id"), ["1", "2", "4", "5"]);
}

/// F02, H22.
#[test]
fn queries_of_two_models_are_each_looked_at_again() {
    let scene = Scene::new();
    // 2 leaves the one query and stays in the other.
    let (accounts, summaries) = scene.after("UPDATE accounts SET balance = 1 WHERE id = 2", |s| {
        let rich = accounts::table.filter(accounts::balance.gt(9));
        let early = accounts::table.filter(accounts::id.lt(4)).filter(accounts::balance.lt(100));
        let set = LockSet::new().query::<Account>(rich).query::<AccountSummary>(early);
        let locked = s.lock_set(set).unwrap();
        let summaries: Vec<i32> = locked.rows::<AccountSummary>().iter().map(|summary| summary.id).collect();
        (account_ids(&locked), summaries)
    });
    assert_eq!(accounts, [1, 4]);
    assert_eq!(summaries, [1, 2, 3]);
}

/// F04, H22.
#[test]
fn a_deleted_row_is_missing_once_for_each_model_that_asked_for_it() {
    let scene = Scene::new();
    let error = scene.after("DELETE FROM accounts WHERE id = 2", |s| {
        let set = LockSet::new().row(&summary(2)).row(&account(1)).row(&account(2));
        s.lock_set(set).map(|locked| account_ids(&locked))
    });
    let Err(LockError::Missing { rows }) = error else { panic!("{error:?}") };
    let names: Vec<_> = rows.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["AccountSummary 2", "Account 2"]);
}

/// F02, I02.
#[test]
fn a_row_that_two_queries_chose_comes_back_as_long_as_one_of_them_wants_it() {
    let scene = Scene::new();
    let lock = |s: &mut Driver| {
        let new = jobs::table.filter(jobs::status.eq("NEW"));
        let urgent = jobs::table.filter(jobs::priority.ge(20));
        let rows = s.lock_set(LockSet::new().query::<Job>(new).query::<Job>(urgent)).unwrap().take_rows::<Job>();
        rows.into_iter().map(|job| (job.id, job.status)).collect::<Vec<_>>()
    };
    // 2 is no longer new, but still urgent; 3 was only new.
    let jobs = scene.after("UPDATE jobs SET status = 'DONE' WHERE id IN (2, 3)", lock);
    assert_eq!(jobs, [(1, "NEW"), (2, "DONE"), (4, "NEW")].map(|(id, status)| (id, status.to_owned())));
}
