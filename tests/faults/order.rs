//! After the one ordered pass a set waits for nothing: a row that did not come back may be locked all the same, wherever it is now.
//!
//! Written once, for each kind of server: the parent module names the driver, and the levels at which a set goes on after a change.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet, Lockable};

use super::{Arena, Driver, LEVELS};
use crate::{
    isolation::{Actor, Pending, Play},
    support::driver::Session,
};

diesel::table! {
    places (id) {
        id -> Integer,
        kind -> Text,
        n -> Integer,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = places)]
struct Place {
    id: i32,
    kind: String,
    n: i32,
}

/// [`LEVELS`], without those at which this server ends a statement over a row that has changed.
fn levels() -> Vec<&'static str> {
    let ends = Arena::new().fails_on_stale_rows();
    LEVELS.into_iter().filter(|level| !(ends && level.contains("REPEATABLE READ"))).collect()
}

/// How row 30 goes away.
const CHANGES: [&str; 2] = ["DELETE FROM places WHERE id = 30", "UPDATE places SET id = 125, kind = 'x' WHERE id = 30"];

/// Row 30 is the first of its kind, and `other` the next.
fn places(other: i32) -> Arena {
    let arena = Arena::new();
    arena.execute("CREATE TABLE places (id int PRIMARY KEY, kind varchar(9) NOT NULL, n int NOT NULL)");
    arena.execute(&format!("INSERT INTO places VALUES ({other}, 'q', 2), (30, 'q', 1)"));
    arena
}

type Locks = Pending<Result<Vec<i32>, LockError>>;

fn lock(
    session: &Actor<Driver>,
    level: &'static str,
    set: fn() -> LockSet<'static, <Driver as Session>::Backend>,
) -> Locks {
    session.start("locks", move |s| {
        s.begin_as(level).unwrap();
        let locked = s.lock_set(set());
        s.rollback().unwrap();
        locked.map(|locked| locked.rows::<Place>().iter().map(|place| place.id).collect())
    })
}

fn the_first() -> LockSet<'static, <Driver as Session>::Backend> {
    LockSet::new().query::<Place>(places::table.filter(places::kind.eq("q")).order(places::n).limit(1))
}

fn both() -> LockSet<'static, <Driver as Session>::Backend> {
    LockSet::new().ids::<Place>([20, 30]).allow_missing()
}

#[test]
fn a_limited_query_that_goes_on_to_another_row_does_not_wait_for_it() {
    for level in levels() {
        for change in CHANGES {
            // The row that takes the place may stand before what was waited for, or behind it.
            for other in [20, 40] {
                let arena = places(other);
                let play = Play::<Driver>::new(&arena);
                let (holder, third, locker) = (play.session("holder"), play.session("third"), play.session("locker"));
                holder.run("changes 30", move |s| s.begin().and_then(|()| s.execute(change))).unwrap();
                let locking = lock(&locker, level, the_first);
                locking.blocked_by(&holder);
                third.run("begins", |s| s.begin()).unwrap();
                third.run("holds the other", move |s| s.lock_by_id::<Place>(other)).unwrap();
                holder.run("commits", |s| s.commit()).unwrap();
                let locked = locking.join();
                assert!(
                    matches!(locked, Err(LockError::LimitedRowsChanged { .. })),
                    "{level}, {change}, {other}: {locked:?}"
                );
                third.run("lets go", |s| s.rollback()).unwrap();
                assert_eq!(lock(&locker, level, the_first).join().unwrap(), [other], "{level}, {change}");
            }
        }
    }
}

#[test]
fn a_limited_query_takes_the_next_row_if_it_is_free() {
    for level in levels() {
        for (change, other) in CHANGES.into_iter().flat_map(|change| [(change, 20), (change, 40)]) {
            let arena = places(other);
            let play = Play::<Driver>::new(&arena);
            let (holder, locker) = (play.session("holder"), play.session("locker"));
            holder.run("changes 30", move |s| s.begin().and_then(|()| s.execute(change))).unwrap();
            let locking = lock(&locker, level, the_first);
            locking.blocked_by(&holder);
            holder.run("commits", |s| s.commit()).unwrap();
            assert_eq!(locking.join().unwrap(), [other], "{level}, {change}");
        }
    }
}

#[test]
fn two_sets_do_not_deadlock_over_a_row_that_goes_away() {
    for level in levels() {
        for change in CHANGES {
            let arena = places(20);
            let play = Play::<Driver>::new(&arena);
            let (holder, one, two) = (play.session("holder"), play.session("one"), play.session("two"));
            holder.run("changes 30", move |s| s.begin().and_then(|()| s.execute(change))).unwrap();
            let by_query = lock(&one, level, the_first);
            by_query.blocked_by(&holder);
            let by_key = lock(&two, level, both);
            assert!(by_key.still_blocked(), "{level}, {change}: nobody holds 30");
            holder.run("commits", |s| s.commit()).unwrap();
            let (by_query, by_key) = (by_query.join(), by_key.join());
            // By the query 20 is had, or it is held by the keys.
            assert!(
                matches!(by_query, Ok(_) | Err(LockError::LimitedRowsChanged { .. })),
                "{level}, {change}: {by_query:?}"
            );
            assert_eq!(by_key.unwrap(), [20], "{level}, {change}");
        }
    }
}
