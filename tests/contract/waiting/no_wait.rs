//! `no_wait` on instances and keys: a row is had at once, or named.

use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver, beginner, busy, goes_on_and_commits, holder, keys, stale};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, AccountSummary, Order, Product, Seat},
        probe::Held,
    },
};

/// D01, D03.
#[test]
fn a_held_row_is_named_and_the_transaction_goes_on() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let hasty = beginner(&play, "hasty");
    hasty.run("changes 2", |s| s.execute("UPDATE accounts SET v = 1 WHERE id = 2")).unwrap();
    for _ in 0..2 {
        assert_eq!(busy(hasty.run("tries the row", |s| s.no_wait(&stale()))), ["Account 1"]);
        let set = |s: &mut Driver| s.lock_set(LockSet::new().row(&stale()).no_wait());
        assert_eq!(busy(hasty.run("tries the set", set)), ["Account 1"]);
    }
    hasty.run("goes on", goes_on_and_commits);
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v = 1 AND id IN (2, 5)"), 2);
    assert_eq!(arena.held_keys("accounts", "id"), ["1"]);
    holder.run("changes and commits", |s| {
        s.execute("UPDATE accounts SET v = 1 WHERE id = 1").unwrap();
        s.commit().unwrap();
    });
    let free = hasty.run("tries again", |s| s.begin().map(|()| s.no_wait(&stale())));
    assert_eq!(free.unwrap().unwrap().v, 1);
}

/// D01, D02, H13.
#[test]
fn all_busy_rows_of_a_table_are_named_and_no_other() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.ids::<Account>([4, 2]));
    let hasty = beginner(&play, "hasty");
    let all = |s: &mut Driver| s.lock_set(LockSet::new().ids::<Account>([5, 4, 3, 4, 2, 1, 2]).no_wait());
    assert_eq!(busy(hasty.run("tries all", all)), ["Account 2", "Account 4"]);
    let free = |s: &mut Driver| s.lock_set(LockSet::new().ids::<Account>([5, 3, 1, 3]).no_wait());
    let locked = hasty.run("tries the others", free).unwrap();
    assert_eq!(keys::<Account>(&locked), [1, 3, 5]);
    assert!(locked.missing().is_empty() && locked.skipped().is_empty());
    assert_eq!(arena.held_keys("accounts", "id"), ["1", "2", "3", "4", "5"]);
    hasty.run("rolls back", |s| s.rollback()).unwrap();
    assert_eq!(arena.held_keys("accounts", "id"), ["2", "4"]);
}

/// D01.
#[test]
fn of_several_tables_the_first_that_has_busy_rows_is_named() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.ids::<Order>([4, 2]).id::<Product>(1));
    let hasty = beginner(&play, "hasty");
    let set =
        |s: &mut Driver| s.lock_set(LockSet::new().id::<Product>(1).ids::<Order>([1, 2, 4]).id::<Account>(1).no_wait());
    assert_eq!(busy(hasty.run("tries", set)), ["Order 2", "Order 4"]);
    let set = |s: &mut Driver| s.lock_set(LockSet::new().id::<Product>(1).id::<Order>(1).no_wait());
    assert_eq!(busy(hasty.run("tries others", set)), ["Product 1"]);
    hasty.run("goes on", goes_on_and_commits);
}

/// D01, R02.
#[test]
fn rows_with_a_key_of_two_columns_are_named() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.ids::<Seat>([("B", 2), ("A", 2)].map(|(s, n)| (s.to_owned(), n))));
    let hasty = beginner(&play, "hasty");
    let seat = |section: &str, number| Seat { section: section.into(), number, holder: None };
    let set = move |s: &mut Driver| {
        let seats = [seat("B", 2), seat("B", 1), seat("A", 2), seat("A", 1)];
        s.lock_set(LockSet::new().rows(&seats).no_wait())
    };
    assert_eq!(busy(hasty.run("tries", set)), ["Seat (\"A\", 2)", "Seat (\"B\", 2)"]);
    assert_eq!(busy(hasty.run("tries one", move |s| s.no_wait(&seat("B", 2)))), ["Seat (\"B\", 2)"]);
    assert_eq!(hasty.run("tries a free one", move |s| s.no_wait(&seat("C", 1))).unwrap(), seat("C", 1));
}

/// D01.
#[test]
fn each_of_two_models_of_one_table_names_its_busy_rows() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.ids::<Account>([1, 2]));
    let hasty = beginner(&play, "hasty");
    let second = |s: &mut Driver| s.lock_set(LockSet::new().id::<Account>(3).id::<AccountSummary>(2).no_wait());
    assert_eq!(busy(hasty.run("tries, one busy", second)), ["AccountSummary 2"]);
    let both = |s: &mut Driver| s.lock_set(LockSet::new().id::<Account>(1).id::<AccountSummary>(2).no_wait());
    assert_eq!(busy(hasty.run("tries, both busy", both)), ["Account 1", "AccountSummary 2"]);
    let free = |s: &mut Driver| s.lock_set(LockSet::new().ids::<Account>([3, 4]).id::<AccountSummary>(4).no_wait());
    let locked = hasty.run("tries free ones", free).unwrap();
    assert_eq!((keys::<Account>(&locked), keys::<AccountSummary>(&locked)), (vec![3, 4], vec![4]));
}

/// D02.
#[test]
fn a_share_beside_a_share_is_no_contention() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.for_share().id::<Account>(1));
    let hasty = beginner(&play, "hasty");
    let shared = |s: &mut Driver| s.lock_set(LockSet::new().for_share().ids::<Account>([1, 2]).no_wait());
    assert_eq!(keys::<Account>(&hasty.run("shares too", shared).unwrap()), [1, 2]);
    assert_eq!(busy(hasty.run("wants it all", |s| s.no_wait(&stale()))), ["Account 1"]);
    let another = beginner(&play, "another");
    let both = |s: &mut Driver| s.lock_set(LockSet::new().ids::<Account>([1, 2, 3]).no_wait());
    assert_eq!(busy(another.run("wants them all", both)), ["Account 1", "Account 2"]);
}

/// D04.
#[test]
fn a_missing_row_is_missing_and_not_busy() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    arena.execute("DELETE FROM accounts WHERE id = 1");
    let holder = holder(&play, "holder", |set| set.id::<Account>(2));
    let hasty = play.session("hasty");
    hasty.run("begins", |s| s.begin_as("ISOLATION LEVEL READ COMMITTED")).unwrap();
    let gone = [
        hasty.run("tries the row", |s| s.no_wait(&stale()).map(drop)),
        hasty.run("tries the set", |s| s.lock_set(LockSet::new().ids::<Account>([1, 3]).no_wait()).map(drop)),
    ];
    for gone in gone {
        let Err(LockError::Missing { rows }) = gone else { panic!("{gone:?}") };
        assert_eq!(super::names(&rows), ["Account 1"]);
    }
    let three = |s: &mut Driver| s.lock_set(LockSet::new().ids::<Account>([1, 2, 3]).allow_missing().no_wait());
    assert_eq!(busy(hasty.run("tries a busy one too", three)), ["Account 2"]);
    // What others have deleted and not committed is busy, not missing.
    holder.run("deletes", |s| s.execute("DELETE FROM accounts WHERE id = 2")).unwrap();
    assert_eq!(busy(hasty.run("tries what may be gone", three)), ["Account 2"]);
    holder.run("commits", |s| s.commit()).unwrap();
    let locked = hasty.run("tries what is gone", three).unwrap();
    assert_eq!(
        (keys::<Account>(&locked), super::names(locked.missing())),
        (vec![3], vec!["Account 1".to_owned(), "Account 2".to_owned()])
    );
    hasty.run("goes on", goes_on_and_commits);
}

/// D05.
#[test]
fn a_row_with_a_queue_is_busy_and_the_queue_keeps_its_order() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let (queued, hasty) = (beginner(&play, "queued"), beginner(&play, "hasty"));
    let waiting = queued.start("locks", |s| s.lock(&stale()));
    waiting.blocked_by(&holder);
    assert_eq!(busy(hasty.run("tries", |s| s.no_wait(&stale()))), ["Account 1"]);
    waiting.blocked_by(&holder);
    holder.run("commits", |s| s.commit()).unwrap();
    waiting.join().unwrap();
    assert_eq!(busy(hasty.run("tries again", |s| s.no_wait(&stale()))), ["Account 1"]);
    queued.run("commits", |s| s.commit()).unwrap();
    hasty.run("tries once more", |s| s.no_wait(&stale())).unwrap();
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Held);
}
