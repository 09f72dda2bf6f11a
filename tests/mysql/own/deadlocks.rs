//! Sets by query beside sets by key, where the query finds its rows in another order than that of the key.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::LockSet;
use fastrand::Rng;

use super::{
    Arena, Driver,
    stock::{Item, arena_of, stock},
};
use crate::{isolation::crowd, support::driver::Session};

const SESSIONS: usize = 8;

/// Generous: it takes some seconds.
const LIMIT: Duration = Duration::from_secs(200);

/// How often each session locks, by query and by key in turn; the deadlocks that came of it.
fn deadlocks(arena: &Arena, rounds: usize, by_query: impl Fn(&mut Driver) -> bool + Sync) -> i64 {
    let before = arena.deadlocks();
    crowd::<Driver, _>(arena, SESSIONS, LIMIT, |number, s| {
        let mut random = Rng::with_seed(number as u64);
        for round in 0..rounds {
            s.begin().unwrap();
            let done = if (round + number) % 2 == 0 {
                by_query(s)
            } else {
                let mut ids: Vec<i32> = (1..=20).collect();
                random.shuffle(&mut ids);
                s.lock_set(LockSet::new().ids::<Item>(&ids[..6])).is_ok()
            };
            if done { s.commit() } else { s.rollback() }.unwrap();
        }
    });
    arena.deadlocks() - before
}

fn dear() -> stock::BoxedQuery<'static, diesel::mysql::Mysql> {
    stock::table.filter(stock::price.lt(20)).into_boxed()
}

/// P01, H19.
#[test]
fn sets_by_query_and_by_key_never_deadlock_over_a_secondary_index() {
    let arena = arena_of(20);
    let by_set = deadlocks(&arena, 500, |s| s.lock_set(LockSet::new().query::<Item>(dear())).is_ok());
    let one_statement = "SELECT id FROM stock FORCE INDEX (by_price) WHERE price < 20 ORDER BY id FOR UPDATE";
    let by_statement = deadlocks(&arena_of(20), 100, |s| s.execute(one_statement).is_ok());
    println!(
        "deadlocks in {} transactions: sets {by_set}; in {}: one statement {by_statement}",
        SESSIONS * 500,
        SESSIONS * 100
    );
    assert_eq!(by_set, 0);
    assert!(by_statement > 0, "the control found none");
}
