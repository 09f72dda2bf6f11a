//! Models that read nothing but the key: the server could read all of the primary key instead of looking some keys up.

use diesel::prelude::*;
use diesel_lockset::{LockSet, Lockable};

use super::{Arena, Driver, verbs::PickDsl};
use crate::support::{driver::Session, schema::jobs};

diesel::table! {
    members (user_id, group_id) {
        user_id -> BigInt,
        group_id -> BigInt,
    }
}

#[derive(Debug, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = members, primary_key(user_id, group_id))]
struct Member {
    user_id: i64,
    group_id: i64,
}

#[derive(Debug, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = jobs)]
struct JobId {
    id: i64,
}

const LEVELS: [&str; 2] = ["ISOLATION LEVEL READ COMMITTED", "ISOLATION LEVEL REPEATABLE READ"];

/// A table that has nothing but its key, with so many rows.
fn members(count: i64) -> Arena {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE members (user_id bigint NOT NULL, group_id bigint NOT NULL, PRIMARY KEY (user_id, group_id)) \
         ENGINE = InnoDB",
    );
    let rows: Vec<String> = (1..=count).map(|i| format!("({i}, 1)")).collect();
    arena.execute(&format!("INSERT INTO members VALUES {}", rows.join(", ")));
    arena
}

/// H19.
#[test]
fn part_of_a_table_of_keys_is_locked_and_no_more() {
    for (count, each) in [(5, 2), (100, 3)] {
        let arena = members(count);
        let wanted: Vec<i64> = (1..=count).filter(|i| i % each == 1).collect();
        for level in LEVELS {
            let mut session = Driver::connect(arena.url());
            session.begin_as(level).unwrap();
            let keys = wanted.iter().rev().map(|i| (*i, 1));
            let locked = session.lock_set(LockSet::new().ids::<Member>(keys)).unwrap();
            let found: Vec<i64> = locked.rows::<Member>().iter().map(|member| member.user_id).collect();
            assert_eq!(found, wanted);
            let held: Vec<i64> = arena.held_keys("members", "user_id").iter().map(|key| key.parse().unwrap()).collect();
            assert_eq!(held, wanted, "{level}");
            session.rollback().unwrap();
        }
    }
}

/// H19, J02.
#[test]
fn a_model_of_the_key_alone_locks_what_it_wants_and_claims_around_others() {
    let arena = Arena::new();
    arena.execute("INSERT INTO jobs (id, priority) VALUES (6, 0), (7, 0), (8, 0), (9, 0), (10, 0)");
    for level in LEVELS {
        let mut session = Driver::connect(arena.url());
        session.begin_as(level).unwrap();
        session.lock_set(LockSet::new().ids::<JobId>([7, 2, 9, 4])).unwrap();
        assert_eq!(arena.held_keys("jobs", "id"), ["2", "4", "7", "9"], "{level}");
        session.rollback().unwrap();
    }
    let mut holder = Driver::connect(arena.url());
    holder.begin().unwrap();
    holder.execute("SELECT 1 FROM jobs WHERE id = 10 FOR UPDATE").unwrap();
    let mut session = Driver::connect(arena.url());
    let claimed: Vec<JobId> = jobs::table
        .filter(jobs::status.eq("NEW"))
        .order(jobs::id)
        .claim(4, jobs::status.eq("DONE"), session.conn())
        .unwrap();
    assert_eq!(claimed.len(), 4);
}
