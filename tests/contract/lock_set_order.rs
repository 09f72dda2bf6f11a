//! The order in which a set locks, and a control without it.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet};

use super::{
    Arena, Driver,
    lock_sets_at_once::{LIMIT, add_one},
    stale::{account, account_ids, accounts, summary},
};
use crate::{
    isolation::{Play, crowd},
    support::{
        driver::Session,
        models::{Account, AccountSummary},
        probe::Held,
        schema::accounts,
    },
};

/// H02.
#[test]
fn rows_are_locked_in_ascending_order_whatever_the_order_of_adding() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (outsider, locker) = (play.session("outsider"), play.session("locker"));
    outsider.run("holds 3", |s| {
        s.begin().unwrap();
        s.lock(&account(3)).unwrap();
    });
    let waiting = locker.start("locks 5, 3, 1", |s| {
        s.begin().unwrap();
        account_ids(&s.lock_set(LockSet::new().rows(&accounts([5, 3, 1]))).unwrap())
    });
    waiting.blocked_by(&outsider);
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Held);
    assert_eq!(arena.probe("accounts", "id = 5"), Held::Free);
    outsider.run("commits", |s| s.commit().unwrap());
    assert_eq!(waiting.join(), [1, 3, 5]);
    assert_eq!(arena.held_keys("accounts", "id"), ["1", "3", "5"]);
}

/// I03.
#[test]
fn the_order_of_a_query_decides_nothing_about_the_order_of_locking() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (outsider, locker) = (play.session("outsider"), play.session("locker"));
    for limit in [None, Some(5)] {
        outsider.run("holds 3", |s| {
            s.begin().unwrap();
            s.lock(&account(3)).unwrap();
        });
        let waiting = locker.start("locks all", move |s| {
            s.begin().unwrap();
            let query = accounts::table.order(accounts::owner.desc());
            let set = match limit {
                None => LockSet::new().query::<Account>(query),
                Some(limit) => LockSet::new().query::<Account>(query.limit(limit)),
            };
            let ids = account_ids(&s.lock_set(set).unwrap());
            s.rollback().unwrap();
            ids
        });
        waiting.blocked_by(&outsider);
        assert_eq!(arena.held_keys("accounts", "id"), ["1", "2", "3"]);
        outsider.run("commits", |s| s.commit().unwrap());
        assert_eq!(waiting.join(), [1, 2, 3, 4, 5]);
    }
}

/// H04.
#[test]
fn control_the_same_rows_locked_one_by_one_do_deadlock() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (one, other) = (play.session("one"), play.session("other"));
    for (session, id) in [(&one, 1), (&other, 2)] {
        session.run("locks its first", move |s| {
            s.begin().unwrap();
            s.lock(&account(id)).unwrap();
        });
    }
    let second = |id| move |s: &mut Driver| s.lock(&account(id)).map(|_| ()).and_then(|()| Ok(s.commit()?));
    let (first, second) = (one.start("locks 2", second(2)), other.start("locks 1", second(1)));
    let (first, second) = (first.join(), second.join());
    assert!(first.is_ok() != second.is_ok(), "{first:?}, {second:?}");
    let error = first.and(second).unwrap_err();
    assert!(matches!(error, LockError::Deadlock { .. }), "{error:?}");
    drop((one, other, play));
    assert_eq!(arena.deadlocks(), 1);
}

/// H08.
#[test]
fn a_row_wanted_at_two_strengths_is_locked_at_the_stronger_from_the_first_touch() {
    let arena = Arena::new();
    let both = |round: usize| match round % 2 {
        0 => LockSet::new().for_share().row(&account(1)).for_update().row(&account(1)),
        _ => LockSet::new().row(&account(1)).for_share().row(&account(1)).row(&summary(1)),
    };
    let mut session = Driver::connect(arena.url());
    for round in 0..2 {
        session.begin().unwrap();
        session.lock_set(both(round)).unwrap();
        assert_eq!(arena.probe_share("accounts", "id = 1"), Held::Held);
        session.rollback().unwrap();
    }
    drop(session);
    // Two that share and then upgrade would deadlock.
    crowd::<Driver, _>(&arena, 2, LIMIT, |number, s| {
        for round in 0..200 {
            s.begin().unwrap();
            s.lock_set(both(number + round)).unwrap();
            add_one(s, &[1]);
            s.commit().unwrap();
        }
    });
    assert_eq!(arena.deadlocks(), 0);
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
