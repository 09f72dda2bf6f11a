//! The order in which a set locks, and what it is for: sets never deadlock with each other.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet};
use fastrand::Rng;

use super::{
    Arena, Driver,
    stale::{account, account_ids, accounts, job, summary, tag},
};
use crate::{
    isolation::{Play, crowd},
    support::{
        driver::Session,
        models::{Account, AccountSummary, Job, Tag},
        probe::Held,
        schema::{accounts, jobs},
    },
};

const LIMIT: Duration = Duration::from_secs(60);

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

/// H03.
#[test]
fn sets_of_random_rows_added_in_random_order_never_deadlock() {
    let arena = Arena::new();
    let values: Vec<_> = (6..=30).map(|id| format!("({id}, 'x', 0)")).collect();
    arena.execute(&format!("INSERT INTO accounts (id, owner, balance) VALUES {}", values.join(", ")));
    let written: Vec<i64> = crowd::<Driver, _>(&arena, 4, LIMIT, |number, s| {
        let mut random = Rng::with_seed(number as u64);
        let mut ids: Vec<i32> = (1..=30).collect();
        let mut written = 0;
        for _ in 0..300 {
            random.shuffle(&mut ids);
            let wanted = &ids[..random.usize(2..=20)];
            s.begin().unwrap();
            let locked = s.lock_set(LockSet::new().ids::<Account>(wanted)).unwrap();
            assert_eq!(locked.rows::<Account>().len(), wanted.len());
            written += add_one(s, wanted);
            s.commit().unwrap();
        }
        written
    });
    assert_eq!(arena.deadlocks(), 0);
    assert_eq!(arena.number("SELECT sum(v) FROM accounts"), written.iter().sum::<i64>());
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

/// H06.
#[test]
fn eight_sessions_in_a_ring_all_get_through() {
    let arena = Arena::new();
    arena.execute("INSERT INTO accounts (id, owner, balance) VALUES (6, 'f', 0), (7, 'g', 0), (8, 'h', 0)");
    crowd::<Driver, _>(&arena, 8, LIMIT, |number, s| {
        let number = i32::try_from(number).unwrap();
        let (mine, next) = (number + 1, (number + 1) % 8 + 1);
        for _ in 0..50 {
            s.begin().unwrap();
            s.lock_set(LockSet::new().row(&account(next)).row(&account(mine))).unwrap();
            add_one(s, &[next, mine]);
            s.commit().unwrap();
        }
    });
    assert_eq!(arena.deadlocks(), 0);
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v = 100"), 8);
}

/// H05, I11.
#[test]
fn tables_added_in_opposite_order_never_deadlock() {
    let arena = Arena::new();
    crowd::<Driver, _>(&arena, 2, LIMIT, |number, s| {
        for round in 0..300 {
            s.begin().unwrap();
            let set = LockSet::new();
            let set = match (number, round % 2) {
                (0, 0) => set.row(&job(1)).row(&account(1)).row(&tag("apple")),
                (_, 0) => set.row(&tag("apple")).row(&account(1)).row(&job(1)),
                (0, _) => set.query::<Job>(jobs::table.filter(jobs::id.lt(3))).query::<Account>(accounts::table),
                (_, _) => set.query::<Account>(accounts::table).query::<Job>(jobs::table.filter(jobs::id.lt(3))),
            };
            s.lock_set(set).unwrap();
            add_one(s, &[1]);
            s.execute("UPDATE jobs SET attempts = attempts + 1 WHERE id = 1").unwrap();
            s.commit().unwrap();
        }
    });
    assert_eq!(arena.deadlocks(), 0);
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 1"), 600);
    assert_eq!(arena.number("SELECT attempts FROM jobs WHERE id = 1"), 600);
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
fn two_models_of_one_table_mixed_in_opposite_order_never_deadlock() {
    let arena = Arena::new();
    crowd::<Driver, _>(&arena, 2, LIMIT, |number, s| {
        for _ in 0..200 {
            s.begin().unwrap();
            let set = match number {
                0 => LockSet::new().row(&summary(2)).row(&account(1)).row(&summary(3)),
                _ => LockSet::new().row(&account(3)).row(&summary(1)).row(&account(2)),
            };
            let locked = s.lock_set(set).unwrap();
            assert_eq!(locked.rows::<Account>().len() + locked.rows::<AccountSummary>().len(), 3);
            add_one(s, &[1, 2, 3]);
            s.commit().unwrap();
        }
    });
    assert_eq!(arena.deadlocks(), 0);
    assert_eq!(arena.number("SELECT sum(v) FROM accounts"), 1200);
}

/// H02.
#[test]
fn text_keys_are_locked_in_the_order_of_the_server() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let names = ["apple", "Äpfel", "Zebra", "", "it's", "apple pie"];
    let mut locked = session.lock_set(LockSet::new().ids::<Tag>(names)).unwrap();
    let found: Vec<String> = locked.take_rows::<Tag>().into_iter().map(|tag| tag.name).collect();
    assert_eq!(found, arena.held_keys("tags", "name"));
    session.commit().unwrap();
}

/// Changes some of the rows that this session holds; how many.
fn add_one(session: &mut Driver, ids: &[i32]) -> i64 {
    // One by one: of a long list, InnoDB may read the whole table, and wait for rows that others hold.
    let one = |id: &i32| session.execute(&format!("UPDATE accounts SET v = v + 1 WHERE id = {id}")).unwrap();
    i64::try_from(ids.iter().take(3).map(one).sum::<usize>()).unwrap()
}
