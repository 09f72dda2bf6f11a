//! Many workers, many jobs: each is done once.

use std::{collections::BTreeSet, time::Duration};

use super::{Arena, Driver, new_mail, pick_id};
use crate::{
    isolation::crowd,
    support::{driver::Session, models::Job, schema::jobs, server::numbers},
};

const WORKERS: usize = 8;
const JOBS: i64 = 400;
const LIMIT: Duration = Duration::from_secs(120);

fn with_jobs() -> Arena {
    let arena = Arena::new();
    arena.execute(&format!(
        "TRUNCATE jobs; INSERT INTO jobs (id, priority) SELECT n, n % 7 FROM {}; \
         CREATE TABLE results (job bigint NOT NULL, worker integer NOT NULL)",
        numbers(1, JOBS)
    ));
    arena
}

/// Every job is in the results once, and every worker did some.
fn assert_each_once(arena: &Arena, done: &[Vec<i64>]) {
    let all: Vec<_> = done.iter().flatten().copied().collect();
    let distinct: BTreeSet<_> = all.iter().copied().collect();
    assert_eq!((all.len(), distinct.len()), (400, 400));
    assert_eq!(arena.number("SELECT count(*) FROM results"), JOBS);
    assert_eq!(arena.number("SELECT count(DISTINCT job) FROM results"), JOBS);
    assert_eq!(arena.number("SELECT count(*) FROM jobs WHERE status <> 'DONE'"), 0);
    let idle: Vec<_> = (0..WORKERS).filter(|&worker| done[worker].is_empty()).collect();
    assert!(idle.is_empty(), "{idle:?} did nothing");
}

/// J08.
#[test]
fn each_picked_job_is_done_by_one_worker() {
    let arena = with_jobs();
    let done = crowd::<Driver, _>(&arena, WORKERS, LIMIT, |number, s| {
        let (mut done, mut nothing) = (Vec::new(), 0);
        while nothing < 2 {
            s.begin().unwrap();
            let picked = pick_id(s);
            if let Some(id) = picked {
                s.execute(&format!("INSERT INTO results VALUES ({id}, {number})")).unwrap();
                s.execute(&format!("UPDATE jobs SET status = 'DONE' WHERE id = {id}")).unwrap();
            } else {
                nothing += 1;
            }
            s.commit().unwrap();
            done.extend(picked);
        }
        done
    });
    assert_each_once(&arena, &done);
}

/// J08.
#[test]
fn each_claimed_job_is_done_by_one_worker() {
    use super::verbs::PickDsl;
    use diesel::prelude::*;

    let arena = with_jobs();
    let done = crowd::<Driver, _>(&arena, WORKERS, LIMIT, |number, s| {
        let mut done = Vec::new();
        loop {
            // Outside a transaction: committed when the call returns.
            let n = 1 + u32::try_from(number).unwrap() % 3;
            let claimed: Vec<Job> = new_mail().claim(n, jobs::status.eq("DONE"), s.conn()).unwrap();
            assert!(claimed.len() <= n as usize);
            if claimed.is_empty() {
                return done;
            }
            for job in claimed {
                s.execute(&format!("INSERT INTO results VALUES ({}, {number})", job.id)).unwrap();
                done.push(job.id);
            }
        }
    });
    assert_each_once(&arena, &done);
}
