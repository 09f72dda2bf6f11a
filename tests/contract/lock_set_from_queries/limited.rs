//! Queries with `LIMIT` and `OFFSET`: only the rows they choose are locked.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet};

use super::{Driver, Form, account, account_ids, job_ids, search};
use crate::{
    isolation::{Actor, Pending, Play},
    support::{
        arena::Arena,
        driver::Session,
        models::{Account, Job, Parent},
        probe::Held,
        schema::{accounts, children, jobs, parents},
    },
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
            ("without a limit", || LockSet::new().query::<Account>(accounts::table.order(accounts::balance).offset(3))),
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
        assert_eq!(arena.held_keys("accounts", "id"), held, "{form}");
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
    assert_eq!(arena.held_keys("parents", "id"), ["1"]);
    assert!(arena.held_keys("children", "id").is_empty());
}

/// A limited query waits for the row that an outsider takes out of its choice, here by setting job `id` to DONE.
fn wait_for_a_row_that_leaves(
    outsider: &Actor<Driver>,
    locker: &Actor<Driver>,
    id: i64,
    set: fn() -> super::Set,
) -> Pending<Result<Vec<i64>, LockError>> {
    outsider.run("takes a row out", move |s| {
        s.begin().unwrap();
        s.execute(&format!("UPDATE jobs SET status = 'DONE' WHERE id = {id}")).unwrap();
    });
    let waiting = locker.start("locks what is next", move |s| {
        s.begin().unwrap();
        s.lock_set(set()).map(|locked| job_ids(&locked))
    });
    waiting.blocked_by(outsider);
    waiting
}

fn first_by_id() -> super::Set {
    LockSet::new().query::<Job>(jobs::table.filter(jobs::status.eq("NEW")).order(jobs::id).limit(1))
}

fn first_by_priority() -> super::Set {
    LockSet::new().query::<Job>(jobs::table.filter(jobs::status.eq("NEW")).order(jobs::priority).limit(1))
}

/// I08.
#[test]
fn the_next_row_takes_the_place_of_one_that_left() {
    let arena = Arena::new();
    for (set, leaves, next) in [(first_by_id as fn() -> super::Set, 1, 2), (first_by_priority, 4, 3)] {
        let play = Play::<Driver>::new(&arena);
        let (outsider, locker) = (play.session("outsider"), play.session("locker"));
        let waiting = wait_for_a_row_that_leaves(&outsider, &locker, leaves, set);
        outsider.run("commits", |s| s.commit()).unwrap();
        assert_eq!(waiting.join().unwrap(), [next]);
        assert_eq!(arena.probe("jobs", &format!("id = {next}")), Held::Held);
        locker.run("ends", |s| s.rollback()).unwrap();
        arena.execute("UPDATE jobs SET status = 'NEW' WHERE id < 5");
    }
}

/// I08.
#[test]
fn a_later_row_that_takes_the_place_is_waited_for() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (outsider, holder, locker) = (play.session("outsider"), play.session("holder"), play.session("locker"));
    holder.run("holds 2", |s| {
        s.begin().unwrap();
        s.lock_by_id::<Job>(2).unwrap();
    });
    let waiting = wait_for_a_row_that_leaves(&outsider, &locker, 1, first_by_id);
    outsider.run("commits", |s| s.commit()).unwrap();
    waiting.blocked_by(&holder);
    holder.run("ends", |s| s.rollback()).unwrap();
    assert_eq!(waiting.join().unwrap(), [2]);
}

/// I08.
#[test]
fn an_earlier_row_that_takes_the_place_and_is_held_is_not_waited_for() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (outsider, holder, locker) = (play.session("outsider"), play.session("holder"), play.session("locker"));
    holder.run("holds 3", |s| {
        s.begin().unwrap();
        s.lock_by_id::<Job>(3).unwrap();
    });
    let waiting = wait_for_a_row_that_leaves(&outsider, &locker, 4, first_by_priority);
    outsider.run("commits", |s| s.commit()).unwrap();
    let error = waiting.join().unwrap_err();
    assert!(matches!(&error, LockError::Moved { table } if table.contains("jobs")), "{error:?}");
    assert!(error.is_retryable() && !error.transaction_is_lost());
    let goes_on = locker.run("goes on in the same transaction", |s| s.lock(&account(1)));
    assert_eq!(goes_on.unwrap().balance, 10);
    holder.run("ends", |s| s.rollback()).unwrap();
    locker.run("ends", |s| s.rollback()).unwrap();

    let again = locker.run("runs all of it again", |s| {
        s.begin().unwrap();
        s.lock_set(first_by_priority()).map(|locked| job_ids(&locked))
    });
    assert_eq!(again.unwrap(), [3]);
}
