//! Sets by query beside sets by key, where the query finds its rows in another order than that of the key.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet};
use fastrand::Rng;

use super::{
    Arena, Driver,
    stock::{Item, arena_of, stock},
};
use crate::{
    isolation::{Play, crowd},
    support::driver::Session,
};

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

/// H03.
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

/// An error may come behind the first rows of an answer; the statement must not be executed again as if the rest of them were
/// still to come.
///
/// O10, P01.
#[test]
fn a_set_that_lost_in_the_middle_is_locked_again_over_the_same_connection() {
    let arena = arena_of(20);
    let play = Play::<Driver>::new(&arena);
    let (loser, winner) = (play.session("loser"), play.session("winner"));
    winner
        .run("changes much", |s| {
            s.begin()?;
            s.execute("UPDATE stock SET note = 'y' WHERE id > 3")
        })
        .unwrap();
    loser
        .run("holds 2", |s| s.begin().and_then(|()| s.execute("SELECT id FROM stock WHERE id = 2 FOR UPDATE")))
        .unwrap();
    let locks =
        |s: &mut Driver| s.lock_set(LockSet::new().ids::<Item>([1, 4, 5, 6])).map(|locked| locked.rows::<Item>().len());
    let losing = loser.start("locks 1, 4, 5, 6", locks);
    losing.blocked_by(&winner);
    winner.run("wants 2", |s| s.execute("SELECT id FROM stock WHERE id = 2 FOR UPDATE")).unwrap();
    let error = losing.join().unwrap_err();
    assert!(matches!(error, LockError::Deadlock { .. }), "{error:?}");
    winner.run("commits", |s| s.commit()).unwrap();
    for _ in 0..2 {
        let again = loser.run("rolls back and locks again", move |s| {
            s.rollback().unwrap();
            s.begin().unwrap();
            locks(s)
        });
        assert_eq!(again.unwrap(), 4);
    }
}
