//! Lock sets whose rows are chosen by queries.

mod folded;
mod joined;
mod limited;
mod several_tables;

use diesel::prelude::*;
use diesel_lockset::{LockSet, Locked};

use super::{Arena, Driver, verbs};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, Job},
        probe::Held,
        schema::{accounts, jobs},
    },
};

type Backend = <Driver as Session>::Backend;
type Set = LockSet<'static, Backend>;

/// One way of several to ask for the same rows, and its name in the message of a test that fails.
type Form = (&'static str, fn() -> Set);

fn account_ids(locked: &Locked) -> Vec<i32> {
    locked.rows::<Account>().iter().map(|account| account.id).collect()
}

fn job_ids(locked: &Locked) -> Vec<i64> {
    locked.rows::<Job>().iter().map(|job| job.id).collect()
}

fn account(id: i32) -> Account {
    Account { id, owner: "nobody".into(), balance: -1, v: -1 }
}

/// A search form: every field may be left empty.
fn search<'q>(
    at_least: Option<i32>,
    owners: Option<&'q [&'q str]>,
    but_not: Option<i32>,
) -> accounts::BoxedQuery<'q, Backend> {
    let mut query = accounts::table.into_boxed();
    if let Some(balance) = at_least {
        query = query.filter(accounts::balance.ge(balance));
    }
    if let Some(owners) = owners {
        query = query.filter(accounts::owner.eq_any(owners));
    }
    if let Some(id) = but_not {
        query = query.filter(accounts::id.ne(id));
    }
    query
}

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
        assert_eq!(arena.held_keys("accounts", "id"), held);
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
        super::assert_sent(sent.take().len(), 1, form);
        assert_eq!(account_ids(&locked), [1, 2, 4], "{form}");
        assert_eq!(locked.row(&account(2)).unwrap().owner, "ben", "{form}");
        assert_eq!(arena.held_keys("accounts", "id"), ["1", "2", "4"], "{form}");
        session.rollback().unwrap();
    }
    session.begin().unwrap();
    let locked = session.lock_set(LockSet::new().row(&account(5)).query::<Account>(rich())).unwrap();
    assert_eq!(account_ids(&locked), [1, 2, 4, 5], "an instance that no query matches is in the set all the same");
}

/// I03.
#[test]
fn the_order_of_a_query_does_not_set_the_order_of_locking() {
    let arena = Arena::new();
    // From here on the server comes across row 1 last.
    arena.execute("UPDATE accounts SET v = v WHERE id = 1");
    let forms: [Form; 5] = [
        ("alone", || LockSet::new().query::<Account>(accounts::table.order(accounts::owner.desc()))),
        ("boxed", || LockSet::new().query::<Account>(search(None, None, None).order(accounts::id.desc()))),
        ("limited", || LockSet::new().query::<Account>(accounts::table.order(accounts::id.desc()).limit(5))),
        ("beside an instance", || {
            LockSet::new().query::<Account>(accounts::table.order(accounts::owner.desc())).row(&account(5))
        }),
        ("two queries, the later rows first", || {
            LockSet::new()
                .query::<Account>(accounts::table.filter(accounts::id.ge(3)))
                .query::<Account>(accounts::table.filter(accounts::id.lt(3)))
        }),
    ];
    for (form, set) in forms {
        let play = Play::<Driver>::new(&arena);
        let (outsider, locker) = (play.session("outsider"), play.session("locker"));
        outsider.run("holds 3", |s| {
            s.begin().unwrap();
            s.lock_by_id::<Account>(3).unwrap();
        });
        let waiting = locker.start(form, move |s| {
            s.begin().unwrap();
            let locked = s.lock_set(set()).unwrap();
            account_ids(&locked)
        });
        waiting.blocked_by(&outsider);
        assert_eq!(arena.probe("accounts", "id = 1"), Held::Held, "{form}");
        assert_eq!(arena.probe("accounts", "id = 5"), Held::Free, "{form}");
        outsider.run("ends", |s| s.rollback()).unwrap();
        assert_eq!(waiting.join(), [1, 2, 3, 4, 5], "{form}");
        locker.run("ends", |s| s.rollback()).unwrap();
    }
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
    assert_eq!(arena.held_keys("jobs", "id"), ["2", "4"]);
    assert_eq!(arena.held_keys("accounts", "id"), ["1"]);
}
