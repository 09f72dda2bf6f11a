//! What the order is for: sets that many sessions lock at once never deadlock with each other.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::LockSet;
use fastrand::Rng;

use super::{
    Arena, Driver,
    stale::{account, job, summary, tag},
};
use crate::{
    isolation::crowd,
    support::{
        driver::Session,
        models::{Account, AccountSummary, Job},
        schema::{accounts, jobs},
    },
};

pub(super) const LIMIT: Duration = Duration::from_secs(60);

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

/// Changes some of the rows that this session holds; how many.
pub(super) fn add_one(session: &mut Driver, ids: &[i32]) -> i64 {
    // One by one: of a long list, InnoDB may read the whole table, and wait for rows that others hold.
    let one = |id: &i32| session.execute(&format!("UPDATE accounts SET v = v + 1 WHERE id = {id}")).unwrap();
    i64::try_from(ids.iter().take(3).map(one).sum::<usize>()).unwrap()
}
