//! Jobs are handed out over all nodes at once.

use std::{collections::BTreeMap, sync::Mutex, thread, time::Duration};

use diesel::prelude::*;
use diesel_lockset::{LockError, LockTransaction, Lockable, PickDsl, RunLockTransaction};

use crate::nodes::Cluster;

diesel::table! {
    jobs (id) {
        id -> BigInt,
        status -> Text,
    }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
struct Job {
    id: i64,
    status: String,
}

const JOBS: i64 = 400;
const WORKERS: usize = 8;
const RUNS: usize = 4;

type Claim = fn(&mut MysqlConnection, &str) -> Result<Vec<Job>, LockError>;

fn claim(n: u32, worker: &str, conn: &mut MysqlConnection) -> Result<Vec<Job>, LockError> {
    jobs::table.filter(jobs::status.eq("new")).order(jobs::id).claim(n, jobs::status.eq(worker.to_owned()), conn)
}

/// Claims until nothing is left. Who was given a job is whom the database says.
fn once_each(name: &str, claim: Claim) {
    for run in 0..RUNS {
        let rows: Vec<String> = (1..=JOBS).map(|id| format!("({id}, 'new')")).collect();
        let cluster = Cluster::new(&format!(
            "CREATE TABLE jobs (id bigint PRIMARY KEY, status varchar(40) NOT NULL, KEY (status, id)) ENGINE = InnoDB; \
             INSERT INTO jobs VALUES {}",
            rows.join(", ")
        ));
        let (given, lost) = (Mutex::new(BTreeMap::<i64, Vec<String>>::new()), Mutex::new(0));
        thread::scope(|scope| {
            for worker in 0..WORKERS {
                let (cluster, given, lost) = (&cluster, &given, &lost);
                scope.spawn(move || {
                    let mut conn = cluster.node(worker);
                    let (mut idle, mut calls) = (0, 0);
                    while idle < 30 {
                        calls += 1;
                        let name = format!("worker {worker}, call {calls}");
                        match claim(&mut conn, &name) {
                            Ok(claimed) if claimed.is_empty() => {
                                idle += 1;
                                thread::sleep(Duration::from_millis(10));
                            }
                            Ok(claimed) => {
                                let mut given = given.lock().unwrap();
                                for job in claimed {
                                    assert_eq!(job.status, name);
                                    given.entry(job.id).or_default().push(name.clone());
                                }
                            }
                            Err(error) if error.is_retryable() => *lost.lock().unwrap() += 1,
                            Err(error) => panic!("{name}: {error:?}"),
                        }
                    }
                });
            }
        });
        cluster.settle();
        let taken: Vec<Job> = jobs::table.order(jobs::id).load(&mut cluster.node(run)).unwrap();
        let given = given.into_inner().unwrap();
        println!("{name}, run {run}: {} jobs, {} claims lost", given.len(), lost.into_inner().unwrap());
        let twice: Vec<_> = given.iter().filter(|(_, workers)| workers.len() > 1).collect();
        assert!(twice.is_empty(), "{name}: handed out twice: {twice:?}");
        // A claim that was lost at its end has left nothing behind, and one that was not is there.
        for job in taken {
            assert_eq!(given.get(&job.id), Some(&vec![job.status]), "{name}: job {}", job.id);
        }
    }
}

fn in_a_transaction(n: u32, worker: &str, conn: &mut MysqlConnection) -> Result<Vec<Job>, LockError> {
    LockTransaction::new().retries(50).run(conn, |conn| claim(n, worker, conn))
}

#[test]
fn a_job_is_claimed_once() {
    once_each("claim(1)", |conn, worker| claim(1, worker, conn));
}

#[test]
fn ten_jobs_at_a_time_are_claimed_once_each() {
    once_each("claim(10)", |conn, worker| claim(10, worker, conn));
}

#[test]
fn jobs_are_claimed_once_in_transactions_that_are_retried() {
    once_each("claim(1) in a LockTransaction", |conn, worker| in_a_transaction(1, worker, conn));
    once_each("claim(10) in a LockTransaction", |conn, worker| in_a_transaction(10, worker, conn));
}

#[test]
fn jobs_are_picked_once_in_transactions_that_are_retried() {
    once_each("pick_next in a LockTransaction", |conn, worker| {
        LockTransaction::new().retries(50).run(conn, |conn| {
            let job: Option<Job> = jobs::table.filter(jobs::status.eq("new")).order(jobs::id).pick_next(conn)?;
            let Some(job) = job else { return Ok(vec![]) };
            diesel::update(jobs::table.find(job.id)).set(jobs::status.eq(worker)).execute(conn)?;
            Ok::<_, LockError>(vec![Job { status: worker.to_owned(), ..job }])
        })
    });
}
