//! Queries over several tables: added in any order, locked in one.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::LockSet;

use super::{Arena, Driver, Set, account_ids, job_ids};
use crate::{
    isolation::crowd,
    support::{
        driver::Session,
        models::{Account, Job, Tag},
        schema::{accounts, jobs, tags},
    },
};

const ROUNDS: usize = 200;

/// Accounts, jobs and tags, added in the order that `turn` says.
pub(super) fn all_three(turn: usize) -> Set {
    let accounts = |set: Set| set.query::<Account>(accounts::table.order(accounts::balance.desc()));
    let jobs = |set: Set| set.query::<Job>(jobs::table.filter(jobs::status.eq("NEW")).order(jobs::priority).limit(9));
    let tags = |set: Set| set.query::<Tag>(tags::table.filter(tags::name.like("apple%")).into_boxed());
    let set = LockSet::new();
    match turn % 6 {
        0 => tags(jobs(accounts(set))),
        1 => jobs(tags(accounts(set))),
        2 => tags(accounts(jobs(set))),
        3 => accounts(tags(jobs(set))),
        4 => jobs(accounts(tags(set))),
        _ => accounts(jobs(tags(set))),
    }
}

/// I11.
#[test]
fn queries_on_several_tables_never_deadlock_whatever_order_they_are_added_in() {
    let arena = Arena::new();
    let limit = Duration::from_secs(120);
    crowd::<Driver, ()>(&arena, 4, limit, |number, session| {
        for round in 0..ROUNDS {
            session.begin().unwrap();
            let locked = session.lock_set(all_three(number + round)).unwrap();
            assert_eq!((account_ids(&locked).len(), job_ids(&locked).len()), (5, 4));
            session.execute("UPDATE tags SET uses = uses + 1 WHERE name = 'apple pie'").unwrap();
            session.commit().unwrap();
        }
    });
    assert_eq!(arena.number("SELECT uses FROM tags WHERE name = 'apple pie'"), 4 * 200);
    assert_eq!(arena.deadlocks(), 0);
}
