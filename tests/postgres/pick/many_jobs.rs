//! 8 workers, 20,000 jobs: each is done once, also if workers die all the time.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
    time::Duration,
};

use diesel::{prelude::*, result::Error as DieselError};
use diesel_lockset::{LockError, PickDsl};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
    models::Job,
    postgres::waits::terminate,
    schema::jobs,
};

const WORKERS: usize = 8;
const JOBS: i64 = 20_000;

/// How long a session may live where sessions are killed.
const LIFE: Duration = Duration::from_millis(200);

fn with_jobs() -> Arena {
    let arena = Arena::new();
    arena.execute(&format!(
        "TRUNCATE jobs; INSERT INTO jobs (id, priority) SELECT n, n % 10 FROM generate_series(1, {JOBS}) n; \
         CREATE TABLE results (job bigint NOT NULL, worker integer NOT NULL); ANALYZE jobs"
    ));
    arena
}

fn assert_each_once(arena: &Arena) {
    assert_eq!(arena.number("SELECT count(*) FROM results"), JOBS);
    assert_eq!(arena.number("SELECT count(DISTINCT job) FROM results"), JOBS);
    assert_eq!(arena.number("SELECT count(*) FROM jobs WHERE status <> 'DONE'"), 0);
}

/// Picks, works, marks as done, all in one transaction; false if nothing is left that is free.
fn work(s: &mut Blocking, worker: usize) -> Result<bool, LockError> {
    s.conn().transaction(|conn| {
        let next = jobs::table.filter(jobs::queue.eq("mail")).filter(jobs::status.eq("NEW"));
        let Some(job): Option<Job> = next.order((jobs::priority, jobs::id)).pick_next(conn)? else { return Ok(false) };
        let result = format!("INSERT INTO results VALUES ({}, {worker})", job.id);
        diesel::sql_query(result).execute(conn)?;
        diesel::update(jobs::table.find(job.id)).set(jobs::status.eq("DONE")).execute(conn)?;
        Ok(true)
    })
}

/// J08.
#[test]
fn twenty_thousand_jobs_are_done_once_each() {
    let arena = with_jobs();
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let mut session = Blocking::connect(arena.url());
            scope.spawn(move || while work(&mut session, worker).unwrap() {});
        }
    });
    assert_each_once(&arena);
}

/// J08.
///
/// Each claim is a transaction of its own.
#[test]
fn twenty_thousand_jobs_are_claimed_once_each() {
    let arena = with_jobs();
    let claim = |s: &mut Blocking| -> Vec<Job> {
        let next = jobs::table.filter(jobs::queue.eq("mail")).filter(jobs::status.eq("NEW"));
        next.order((jobs::priority, jobs::id)).claim(1, jobs::status.eq("DONE"), s.conn()).unwrap()
    };
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let mut session = Blocking::connect(arena.url());
            scope.spawn(move || {
                while let Some(job) = claim(&mut session).pop() {
                    session.execute(&format!("INSERT INTO results VALUES ({}, {worker})", job.id)).unwrap();
                }
            });
        }
    });
    assert_each_once(&arena);
}

/// J08, J09.
#[test]
fn twenty_thousand_jobs_are_done_once_each_although_workers_are_killed() {
    let arena = with_jobs();
    let (sessions, ended) = ([const { AtomicUsize::new(0) }; WORKERS], AtomicUsize::new(0));
    let (killed, lost) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (arena, sessions, ended, lost) = (&arena, &sessions, &ended, &lost);
            scope.spawn(move || {
                loop {
                    let mut session = Blocking::connect(arena.url());
                    sessions[worker].store(usize::try_from(session.pid()).unwrap(), SeqCst);
                    let end = loop {
                        match work(&mut session, worker) {
                            Ok(true) => {}
                            end => break end,
                        }
                    };
                    match end {
                        // Somebody's job may come back if its worker is killed.
                        Ok(_) if arena.number("SELECT count(*) FROM jobs WHERE status <> 'DONE'") == 0 => break,
                        Ok(_) | Err(LockError::ConnectionLost(_)) => {}
                        // Libpq tells the victim in words only, of some statements.
                        Err(LockError::Query(DieselError::DatabaseError(_, said)))
                            if said.message().contains("terminating connection") => {}
                        Err(_) => lost.store(true, SeqCst),
                    }
                }
                ended.fetch_add(1, SeqCst);
            });
        }
        scope.spawn(|| {
            let mut admin = arena.pg();
            while ended.load(SeqCst) < WORKERS {
                thread::sleep(LIFE);
                let victim = sessions[killed.load(SeqCst) % WORKERS].load(SeqCst);
                if victim != 0 && ended.load(SeqCst) == 0 {
                    terminate(&mut admin, i32::try_from(victim).unwrap());
                    killed.fetch_add(1, SeqCst);
                }
            }
        });
    });
    println!("{} sessions were killed", killed.load(SeqCst));
    assert!(killed.load(SeqCst) > 5, "hardly anybody was killed");
    assert!(!lost.load(SeqCst), "an error that is no lost connection");
    assert_each_once(&arena);
}
