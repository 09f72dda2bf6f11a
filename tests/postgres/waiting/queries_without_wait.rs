//! Single queries that do not wait: `no_wait` names what is busy, `skip_locked` leaves it out.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, RunLockQuery};

use super::{beginner, holder};
use crate::{
    isolation::{Actor, Play},
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::{Account, Customer, Job, Order, S1Item, Seat},
        schema::{accounts, customers, jobs, orders, s1_items, seats},
    },
};

/// The keys of the busy rows, as the error names them.
#[track_caller]
fn busy<T: std::fmt::Debug>(result: Result<T, LockError>) -> Vec<String> {
    let error = result.unwrap_err();
    assert!(error.is_contended() && !error.transaction_is_lost(), "{error:?}");
    let LockError::Contended { rows, source: None, .. } = error else { panic!("{error:?}") };
    rows.iter().map(|row| format!("{} {}", row.table(), row.key().get::<String>().unwrap())).collect()
}

type Loads = fn(&mut Blocking) -> Result<Vec<i32>, LockError>;

fn ids(rows: Vec<Account>) -> Vec<i32> {
    rows.iter().map(|account| account.id).collect()
}

/// Accounts 1, 2 and 4 in the order 4, 2, 1.
const RICH: [(&str, Loads); 4] = [
    ("query", |s| {
        let rich = accounts::table.filter(accounts::balance.gt(9)).order(accounts::balance.desc());
        rich.for_update_of(accounts::table).no_wait().load(s.conn()).map(ids)
    }),
    ("boxed query", |s| {
        let rich = accounts::table.filter(accounts::balance.gt(9)).order(accounts::balance.desc()).into_boxed();
        rich.for_update_of(accounts::table).no_wait().load(s.conn()).map(ids)
    }),
    ("limited query", |s| {
        let rich = accounts::table.order(accounts::balance.desc()).limit(3);
        rich.for_update_of(accounts::table).no_wait().load(s.conn()).map(ids)
    }),
    ("boxed and limited query", |s| {
        let rich = accounts::table.order(accounts::balance.desc()).limit(3).into_boxed();
        rich.for_no_key_update_of(accounts::table).no_wait().load(s.conn()).map(ids)
    }),
];

/// D01, D02, D03.
#[test]
fn busy_rows_of_a_query_are_named_and_the_transaction_goes_on() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let holder = holder(&play, "holder", |set| set.ids::<Account>([2, 3, 4]));
    let hasty = beginner(&play, "hasty");
    for (query, load) in RICH {
        assert_eq!(busy(hasty.run(query, load)), ["\"accounts\" 2", "\"accounts\" 4"], "{query}");
    }
    hasty.run("changes 5", |s| s.execute("UPDATE accounts SET v = 1 WHERE id = 5")).unwrap();
    holder.run("commits and locks 3 again", |s| {
        s.commit().unwrap();
        s.begin().unwrap();
        s.lock_by_id::<Account>(3).unwrap();
    });
    for (query, load) in RICH {
        assert_eq!(hasty.run(query, load).unwrap(), [4, 2, 1], "{query}");
    }
    assert_eq!(arena.held_keys("accounts", "id"), ["1", "2", "3", "4", "5"]);
    hasty.run("commits", |s| s.commit()).unwrap();
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 5"), 1);
}

/// D01.
#[test]
fn a_query_names_rows_of_its_table_only_whatever_their_key() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let _holder = holder(&play, "holder", |set| {
        set.ids::<Customer>([1, 2]).id::<Order>(3).id::<Seat>(("A".to_owned(), 2)).id::<S1Item>(2)
    });
    let hasty = beginner(&play, "hasty");
    let of = |name: &'static str| {
        move |s: &mut Blocking| -> Result<Vec<Order>, LockError> {
            let query = orders::table.inner_join(customers::table).filter(customers::name.eq(name));
            query.select(Order::as_select()).for_update_of(orders::table).no_wait().load(s.conn())
        }
    };
    assert_eq!(hasty.run("Ada's orders", of("Ada")).unwrap().len(), 2);
    assert_eq!(busy(hasty.run("Ben's orders", of("Ben"))), ["\"orders\" 3"]);
    let seats = |s: &mut Blocking| seats::table.for_update_of(seats::table).no_wait().load::<Seat>(s.conn());
    assert_eq!(busy(hasty.run("seats", seats)), ["\"seats\" (A,2)"]);
    let items = |s: &mut Blocking| s1_items::table.for_update_of(s1_items::table).no_wait().load::<S1Item>(s.conn());
    assert_eq!(busy(hasty.run("items of a schema", items)), ["\"s1\".\"items\" 2"]);
    let none = |s: &mut Blocking| {
        let none = accounts::table.filter(accounts::id.eq(99));
        none.for_update_of(accounts::table).no_wait().load::<Account>(s.conn())
    };
    assert_eq!(hasty.run("no rows", none).unwrap(), []);
}

/// D02.
#[test]
fn a_query_that_shares_is_not_in_the_way_of_one_that_shares() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.for_share().id::<Account>(1));
    let hasty = beginner(&play, "hasty");
    let one = |s: &mut Blocking| -> Result<Account, LockError> {
        accounts::table.filter(accounts::id.eq(1)).for_share_of(accounts::table).no_wait().get_result(s.conn())
    };
    assert_eq!(hasty.run("shares", one).unwrap().balance, 10);
    assert_eq!(busy(hasty.run("wants all", RICH[0].1)), ["\"accounts\" 1"]);
}

/// The numbers of the first jobs that the session can have.
fn first<const N: i64>(s: &mut Blocking) -> Vec<i64> {
    let first = jobs::table.order(jobs::id).limit(N).for_update_of(jobs::table).skip_locked();
    first.load::<Job>(s.conn()).unwrap().iter().map(|job| job.id).collect()
}

fn shared(s: &mut Blocking) -> Vec<i64> {
    let first = jobs::table.order(jobs::id).limit(2).for_share_of(jobs::table).skip_locked();
    first.load::<Job>(s.conn()).unwrap().iter().map(|job| job.id).collect()
}

/// E02, E04.
#[test]
fn a_limited_query_that_skips_takes_the_next_free_rows_and_ones_own() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (one, other) = (beginner(&play, "one"), beginner(&play, "other"));
    for _ in 0..2 {
        assert_eq!(one.run("takes the first", first::<1>), [1]);
    }
    assert_eq!(other.run("takes the first", first::<1>), [2]);
    assert_eq!(one.run("takes three", first::<3>), [1, 3, 4]);
    assert_eq!(other.run("takes all", first::<9>), [2, 5]);
    assert_eq!(beginner(&play, "late").run("takes all", first::<9>), [0_i64; 0]);
}

/// E05.
#[test]
fn sharing_sessions_skip_to_the_same_rows_and_exclusive_ones_do_not() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let sessions: [Actor<Blocking>; 2] = [beginner(&play, "one"), beginner(&play, "other")];
    for session in &sessions {
        assert_eq!(session.run("shares", shared), [1, 2]);
    }
    let (third, fourth) = (beginner(&play, "third"), beginner(&play, "fourth"));
    assert_eq!(third.run("takes two", first::<2>), [3, 4]);
    assert_eq!(fourth.run("takes two", first::<2>), [5]);
}

/// E07.
#[test]
fn a_row_with_a_queue_is_skipped() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let holder = holder(&play, "holder", |set| set.id::<Job>(1));
    let (queued, skipper) = (beginner(&play, "queued"), beginner(&play, "skipper"));
    let waiting = queued.start("locks", |s| s.lock_by_id::<Job>(1));
    waiting.blocked_by(&holder);
    assert_eq!(skipper.run("takes the first", first::<1>), [2]);
    holder.run("commits", |s| s.commit()).unwrap();
    assert_eq!(waiting.join().unwrap().id, 1);
}

/// D02.
#[test]
fn a_limited_query_locks_and_names_what_it_chooses_and_no_other_row() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let hasty = beginner(&play, "hasty");
    let two = hasty.run("wants two", |s| {
        accounts::table.order(accounts::id).limit(2).for_update_of(accounts::table).no_wait().load::<Account>(s.conn())
    });
    assert_eq!(busy(two), ["\"accounts\" 1"]);
    assert_eq!(arena.held_keys("accounts", "id"), ["1", "2"]);
    let second = hasty.run("wants the second", |s| {
        let query = accounts::table.order(accounts::id).offset(1).limit(1);
        query.for_update_of(accounts::table).no_wait().load::<Account>(s.conn())
    });
    let error = second.unwrap_err();
    assert!(matches!(error, LockError::Unsupported { .. }) && error.to_string().contains("OFFSET"), "{error:?}");
}

/// G01.
#[test]
fn a_moment_is_time_enough_for_one_try() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.id::<Account>(1));
    let mut hasty = Blocking::connect(arena.url());
    hasty.begin().unwrap();
    let query = |id: i32| accounts::table.find(id).for_update_of(accounts::table).timeout(Duration::from_nanos(1));
    // Whether a busy machine finds even a free row in a millisecond is the machine's to say; the server is asked in any case.
    let heard = hasty.overhear();
    drop(query(2).load::<Account>(hasty.conn()));
    let statements = heard.take();
    assert!(statements.iter().any(|sql| sql.contains("FOR UPDATE")), "{statements:?}");
    hasty.rollback().unwrap();
    hasty.begin().unwrap();
    let held = query(1).load::<Account>(hasty.conn()).unwrap_err();
    let LockError::TimedOut { attempt: Some(attempt), source: Some(_) } = &held else { panic!("{held:?}") };
    assert_eq!(attempt.table(), "\"accounts\"");
}
