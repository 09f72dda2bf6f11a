//! `skip_locked` on queries in a set: what others hold is left out silently.

use diesel::prelude::*;
use diesel_lockset::LockSet;

use super::{Arena, Driver, beginner, goes_on_and_commits, holder, keys, names};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Account, Customer, Order},
        schema::{accounts, customers, orders},
    },
};

/// E01, E02.
#[test]
fn what_a_query_chose_and_others_hold_is_left_out_silently() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let holder = holder(&play, "holder", |set| set.ids::<Account>([2, 3]));
    let skipper = beginner(&play, "skipper");
    let rich = |s: &mut Driver| {
        let rich = accounts::table.filter(accounts::balance.gt(9));
        s.lock_set(LockSet::new().query::<Account>(rich).skip_locked()).unwrap()
    };
    let locked = skipper.run("takes the rich ones", rich);
    assert_eq!(keys::<Account>(&locked), [1, 4]);
    assert!(locked.skipped().is_empty() && locked.missing().is_empty());
    holder.run("commits", |s| s.commit()).unwrap();
    assert_eq!(arena.held_keys("accounts", "id"), ["1", "4"]);
    let late = beginner(&play, "late");
    assert_eq!(keys::<Account>(&late.run("takes the rich ones too", rich)), [2]);
    let last = beginner(&play, "last");
    assert!(last.run("finds nothing", rich).rows::<Account>().is_empty());
    last.run("goes on", goes_on_and_commits);
}

/// E01.
#[test]
fn a_limit_chooses_first_and_what_is_held_is_left_out_then() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.ids::<Account>([2, 5]));
    let skipper = beginner(&play, "skipper");
    let locked = skipper.run("takes the first three", |s| {
        let three = accounts::table.order(accounts::id).limit(3);
        s.lock_set(LockSet::new().query::<Account>(three).skip_locked()).unwrap()
    });
    assert_eq!(keys::<Account>(&locked), [1, 3]);
    assert!(locked.skipped().is_empty());
    assert_eq!(arena.held_keys("accounts", "id"), ["1", "2", "3", "5"]);
}

/// E01.
#[test]
fn rows_asked_for_by_key_are_named_also_if_a_query_chose_them() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.ids::<Account>([1, 3, 4]));
    let skipper = beginner(&play, "skipper");
    let locked = skipper.run("takes 1, 3, 5 and the rich ones", |s| {
        let rich = accounts::table.filter(accounts::balance.gt(9));
        s.lock_set(LockSet::new().ids::<Account>([1, 3, 5]).query::<Account>(rich).skip_locked()).unwrap()
    });
    assert_eq!(
        (keys::<Account>(&locked), names(locked.skipped())),
        (vec![2, 5], vec!["Account 1".to_owned(), "Account 3".to_owned()])
    );
}

/// E01.
#[test]
fn rows_of_a_joined_table_that_others_hold_do_not_matter() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let _holder = holder(&play, "holder", |set| set.ids::<Customer>([1, 2]).id::<Order>(2));
    let skipper = beginner(&play, "skipper");
    let locked = skipper.run("takes Ada's orders", |s| {
        let ada = orders::table.inner_join(customers::table).filter(customers::name.eq("Ada"));
        s.lock_set(LockSet::new().query::<Order>(ada.into_boxed()).skip_locked()).unwrap()
    });
    assert_eq!(keys::<Order>(&locked), [1]);
}

/// E01.
#[test]
fn a_row_that_somebody_changes_just_now_is_left_out() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let changes = [
        "UPDATE accounts SET balance = 0 WHERE id = 2",
        "DELETE FROM accounts WHERE id = 2",
        "UPDATE accounts SET balance = 99 WHERE id = 3",
    ];
    for change in changes {
        let changing = beginner(&play, change);
        changing.run("changes", move |s| s.execute(change)).unwrap();
        let skipper = beginner(&play, &format!("beside {change}"));
        let locked = skipper.run("takes the rich ones", |s| {
            let rich = accounts::table.filter(accounts::balance.gt(9));
            s.lock_set(LockSet::new().id::<Account>(5).query::<Account>(rich).skip_locked()).unwrap()
        });
        let rich = if change.ends_with("id = 2") { vec![1, 4, 5] } else { vec![1, 2, 4, 5] };
        assert_eq!((keys::<Account>(&locked), locked.skipped().len()), (rich, 0), "{change}");
    }
}
