//! Queries over several tables: added in any order, locked in one.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::LockSet;

use super::{Arena, Driver, Set, account_ids, job_ids};
use crate::{
    isolation::{Play, crowd},
    support::{
        driver::Session,
        models::{Account, Job, Tag},
        probe::Held,
        schema::{accounts, jobs, tags},
    },
};

const ROUNDS: usize = 200;

/// Accounts, jobs and tags, added in the order that `turn` says.
fn all_three(turn: usize) -> Set {
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

/// I11.
#[test]
fn tables_are_locked_in_the_order_of_their_names() {
    let arena = Arena::new();
    for turn in 0..6 {
        let play = Play::<Driver>::new(&arena);
        let (outsider, locker) = (play.session("outsider"), play.session("locker"));
        outsider.run("holds a job", |s| {
            s.begin().unwrap();
            s.lock_by_id::<Job>(2).unwrap();
        });
        let waiting = locker.start("locks all three", move |s| {
            s.begin().unwrap();
            s.lock_set(all_three(turn)).unwrap().rows::<Tag>().len()
        });
        waiting.blocked_by(&outsider);
        assert_eq!(arena.probe("accounts", "id = 5"), Held::Held);
        assert_eq!(arena.probe("tags", "name = 'apple'"), Held::Free);
        outsider.run("ends", |s| s.rollback()).unwrap();
        assert_eq!(waiting.join(), 2);
        locker.run("ends", |s| s.rollback()).unwrap();
    }
}
