//! The example in small, on both runtimes.

use std::{thread, time::Duration};

use diesel::{connection::SimpleConnection, prelude::*};
use tokio::sync::watch;

use crate::{
    Flavor,
    queue::{self, done, jobs},
    report::Run,
    shared::{Conn, Database, Result, until},
    tally::Tally,
    workers::Workers,
};

const WORKERS: usize = 3;

/// Fills a queue and lets the workers do it. `meanwhile` has a session of its own, and the sender of the stop.
fn work(
    flavor: Flavor,
    (jobs, poison): (u32, u32),
    meanwhile: impl FnOnce(&mut Conn, &watch::Sender<bool>) -> QueryResult<()>,
) -> Result<(Run, Tally, (Database, Conn))> {
    let database = Database::create("async_worker_queue")?;
    let mut conn = database.connect()?;
    conn.batch_execute(queue::TABLES)?;
    queue::fill(jobs, poison, &mut conn)?;
    let workers = Workers { url: database.url(), count: WORKERS, takes: Duration::from_millis(15) };
    let (stop, stopped) = watch::channel(false);
    let tally = thread::scope(|scope| {
        let working = scope.spawn(|| flavor.build()?.block_on(workers.run(stopped)));
        meanwhile(&mut conn, &stop)?;
        working.join().unwrap_or_else(|_| Err("the workers panicked".into()))
    })?;
    let run = Run::measure(flavor.name(), (jobs, poison), WORKERS, &tally, &mut conn)?;
    Ok((run, tally, (database, conn)))
}

fn wait_for_some_jobs(conn: &mut Conn) -> QueryResult<()> {
    until("some jobs are done", || Ok(done::table.count().get_result::<i64>(conn)? > 5))
}

fn every_job_is_done_once(flavor: Flavor) -> Result<()> {
    let (run, tally, _) = work(flavor, (150, 1), |_, _| Ok(()))?;
    assert!(run.is_complete(), "{run:?}");
    // Three shaky jobs fail once, the poison one at each try but its last.
    assert_eq!((run.again, tally.in_hand, tally.lost), (7, vec![], 0));
    assert!(run.per_worker.iter().all(|jobs| *jobs > 0), "each worker has done some: {run:?}");
    Ok(())
}

#[test]
fn async_workers_on_many_threads_do_every_job_once() -> Result<()> {
    every_job_is_done_once(Flavor::MultiThread)
}

#[test]
fn async_workers_on_one_thread_do_every_job_once() -> Result<()> {
    every_job_is_done_once(Flavor::CurrentThread)
}

/// The picked jobs are finished, and the rest is as free as before.
fn a_stop_finishes_what_was_picked(flavor: Flavor) -> Result<()> {
    let (run, tally, (_database, mut conn)) = work(flavor, (2_000, 0), |conn, stop| {
        wait_for_some_jobs(conn)?;
        stop.send_replace(true);
        Ok(())
    })?;
    assert!(run.is_sound() && run.left > 0, "{run:?}");
    assert_eq!((tally.in_hand, tally.done as i64, tally.kills), (vec![], run.done, 0));
    let free: Vec<queue::Job> = {
        use diesel_lockset::prelude::*;
        conn.transaction(|conn| jobs::table.filter(jobs::status.eq("ready")).pick(2_000, conn))?
    };
    assert_eq!(free.len() as i64, run.left);
    Ok(())
}

#[test]
fn async_workers_on_many_threads_finish_picked_jobs_before_they_stop() -> Result<()> {
    a_stop_finishes_what_was_picked(Flavor::MultiThread)
}

#[test]
fn async_workers_on_one_thread_finish_picked_jobs_before_they_stop() -> Result<()> {
    a_stop_finishes_what_was_picked(Flavor::CurrentThread)
}

/// The sessions of all workers are ended by the server, again and again.
#[cfg(feature = "postgres")]
fn a_lost_connection_loses_no_job(flavor: Flavor) -> Result<()> {
    use diesel::{dsl::sql, sql_types::BigInt};

    let (run, tally, _) = work(flavor, (150, 0), |conn, _| {
        for _ in 0..3 {
            let enough = done::table.count().get_result::<i64>(conn)? + 5;
            until("some jobs are done", || Ok(done::table.count().get_result::<i64>(conn)? > enough))?;
            let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                         WHERE datname = current_database() AND pid <> pg_backend_pid()";
            assert!(sql::<BigInt>(ended).get_result::<i64>(conn)? > 0);
        }
        Ok(())
    })?;
    assert!(run.is_complete(), "{run:?}");
    assert!(tally.kills > 0, "{tally:?}");
    Ok(())
}

#[cfg(feature = "postgres")]
#[test]
fn async_workers_on_many_threads_survive_lost_connections() -> Result<()> {
    a_lost_connection_loses_no_job(Flavor::MultiThread)
}

#[cfg(feature = "postgres")]
#[test]
fn async_workers_on_one_thread_survive_lost_connections() -> Result<()> {
    a_lost_connection_loses_no_job(Flavor::CurrentThread)
}
