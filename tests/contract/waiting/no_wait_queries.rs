//! `no_wait` on queries in a set: what a query wants and cannot have at once is named, and nothing else is.

use diesel::prelude::*;
use diesel_lockset::LockSet;

use super::{Arena, Driver, beginner, busy, goes_on_and_commits, holder, keys, stale};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, AccountSummary, Customer, Order, Seat},
        schema::{accounts, customers, orders, seats},
    },
};

type Found = Result<Vec<i32>, Vec<String>>;

/// The accounts that `set` locked, or those that were busy.
fn tried(s: &mut Driver, set: super::Set) -> Found {
    match s.lock_set(set.no_wait()) {
        Ok(locked) => Ok(keys::<Account>(&locked)),
        error => Err(busy(error)),
    }
}

type Wants = fn() -> super::Set;

/// Accounts 1, 2 and 4 in the ways in which queries can choose them; the rich ones are 4 and 2.
const RICH: [(&str, Wants); 4] = [
    ("query", || LockSet::new().query::<Account>(accounts::table.filter(accounts::balance.gt(9)))),
    ("boxed query", || {
        LockSet::new()
            .query::<Account>(accounts::table.filter(accounts::balance.gt(9)).order(accounts::owner).into_boxed())
    }),
    ("instance and query", || {
        LockSet::new().row(&stale()).query::<Account>(accounts::table.filter(accounts::balance.gt(10)))
    }),
    ("limited queries", || {
        let rich = accounts::table.order(accounts::balance.desc());
        LockSet::new().query::<Account>(rich.limit(2)).query::<Account>(rich.limit(1).offset(2))
    }),
];

/// D01, D03.
#[test]
fn the_busy_rows_that_a_query_wants_are_named() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", |set| set.ids::<Account>([2, 3, 4]));
    let hasty = beginner(&play, "hasty");
    for (query, wants) in RICH {
        let found = hasty.run(query, move |s| tried(s, wants()));
        assert_eq!(found, Err(vec!["Account 2".to_owned(), "Account 4".to_owned()]), "{query}");
    }
    holder.run("commits", |s| s.commit()).unwrap();
    for (query, wants) in RICH {
        assert_eq!(hasty.run(query, move |s| tried(s, wants())), Ok(vec![1, 2, 4]), "{query}");
    }
    assert_eq!(arena.held_keys("accounts", "id"), ["1", "2", "4"]);
    hasty.run("goes on", goes_on_and_commits);
}

/// D01, D02.
#[test]
fn busy_rows_that_no_query_wants_are_not_in_the_way() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", |set| set.ids::<Account>([3, 5]));
    let hasty = play.session("hasty");
    hasty.run("begins", |s| s.begin_as("ISOLATION LEVEL READ COMMITTED")).unwrap();
    // As others see it, 3 is still poor.
    holder.run("makes 3 rich", |s| s.execute("UPDATE accounts SET balance = 99 WHERE id = 3")).unwrap();
    for (query, wants) in RICH {
        assert_eq!(hasty.run(query, move |s| tried(s, wants())), Ok(vec![1, 2, 4]), "{query}");
    }
    holder.run("commits", |s| s.commit()).unwrap();
    assert_eq!(hasty.run("tries again", |s| tried(s, RICH[0].1())), Ok(vec![1, 2, 3, 4]));
}

/// D01.
#[test]
fn a_row_that_somebody_changes_just_now_is_busy() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    for change in ["UPDATE accounts SET balance = 0 WHERE id = 2", "DELETE FROM accounts WHERE id = 2"] {
        for (query, wants) in RICH {
            let changing = beginner(&play, &format!("{query}, {change}"));
            changing.run("changes", move |s| s.execute(change)).unwrap();
            let hasty = beginner(&play, &format!("{query} beside {change}"));
            let found = hasty.run(query, move |s| tried(s, wants()));
            assert_eq!(found, Err(vec!["Account 2".to_owned()]), "{query}");
        }
    }
}

/// D01.
#[test]
fn of_a_join_only_rows_of_the_models_table_can_be_busy() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.ids::<Customer>([1, 2]).id::<Order>(3));
    let hasty = beginner(&play, "hasty");
    let of = |name: &'static str| {
        move |s: &mut Driver| {
            let query = orders::table.inner_join(customers::table).filter(customers::name.eq(name));
            s.lock_set(LockSet::new().query::<Order>(query).no_wait())
        }
    };
    assert_eq!(keys::<Order>(&hasty.run("tries Ada's", of("Ada")).unwrap()), [1, 2]);
    assert_eq!(busy(hasty.run("tries Ben's", of("Ben"))), ["Order 3"]);
}

/// D01, R02.
#[test]
fn a_query_for_rows_with_a_key_of_two_columns_names_them() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.id::<Seat>(("A".to_owned(), 2)));
    let hasty = beginner(&play, "hasty");
    let number = |number| {
        move |s: &mut Driver| {
            let free = seats::table.filter(seats::number.eq(number));
            s.lock_set(LockSet::new().query::<Seat>(free).no_wait())
        }
    };
    assert_eq!(busy(hasty.run("tries twos", number(2))), ["Seat (\"A\", 2)"]);
    assert_eq!(hasty.run("tries ones", number(1)).unwrap().rows::<Seat>().len(), 3);
}

/// D01.
#[test]
fn queries_of_two_models_of_one_table_name_what_each_of_them_wants() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.ids::<Account>([1, 5]));
    let hasty = beginner(&play, "hasty");
    let set = |account: i32, summary: i32| {
        move |s: &mut Driver| {
            let set = LockSet::new()
                .query::<Account>(accounts::table.filter(accounts::id.eq(account)))
                .query::<AccountSummary>(accounts::table.filter(accounts::id.eq(summary)));
            s.lock_set(set.no_wait())
        }
    };
    assert_eq!(busy(hasty.run("1 and 2", set(1, 2))), ["Account 1"]);
    assert_eq!(busy(hasty.run("2 and 5", set(2, 5))), ["AccountSummary 5"]);
    assert_eq!(busy(hasty.run("1 and 5", set(1, 5))), ["Account 1", "AccountSummary 5"]);
    let locked = hasty.run("2 and 3", set(2, 3)).unwrap();
    assert_eq!((keys::<Account>(&locked), keys::<AccountSummary>(&locked)), (vec![2], vec![3]));
}
