//! What the example shows, in small. A worker is this test binary, told to run one test only.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::prelude::*;

use crate::{
    crew::Crew,
    lease,
    progress::Progress,
    queue::{self, Job, Outcome, done, jobs},
    report::{Report, Run},
    shared::{Conn, Database, Result, until},
    tally::Tally,
    worker::{self, Orders, Variant},
};

/// Nothing, but in a process that was started as a worker.
#[test]
fn a_worker_that_picks() -> Result<()> {
    worker::work_if_told_to().map(drop)
}

static NEVER: AtomicBool = AtomicBool::new(false);

fn filled(jobs: u32, poison: u32) -> Result<(Database, Conn)> {
    let database = Database::create("worker_queue")?;
    let mut conn = database.connect()?;
    conn.batch_execute(queue::TABLES)?;
    queue::fill(jobs, poison, &mut conn)?;
    Ok((database, conn))
}

fn crew<'a>(database: &Database, variant: Variant, interrupted: &'a AtomicBool) -> Crew<'a> {
    let orders = Orders { variant, lease: Duration::from_secs(1), takes: Duration::from_millis(15) };
    Crew {
        url: database.url(),
        orders,
        workers: 3,
        kill_every: None,
        most_kills: 0,
        arguments: &["--exact", "tests::a_worker_that_picks", "--nocapture"],
        interrupted,
    }
}

fn work(crew: &Crew<'_>) -> Result<Tally> {
    crew.run(&Progress::begin("test".to_owned(), 0)?)
}

fn jobs_of_killed_workers_are_done_by_others(variant: Variant) -> Result<()> {
    let (database, mut conn) = filled(150, 1)?;
    let crew = Crew { kill_every: Some(Duration::from_millis(60)), most_kills: 3, ..crew(&database, variant, &NEVER) };
    let mut runs = Vec::new();
    while runs.len() < 20 {
        let tally = work(&crew)?;
        let run = Run::measure(variant.name(), (150, 1), 3, &tally, &mut conn)?;
        assert!(run.is_complete(), "{run:?}");
        // Three shaky jobs and the poison one; not all of their tries, for some may have ended by a kill.
        assert!(run.again > 0, "{run:?}");
        if run.taken_over > 0 {
            return Ok(());
        }
        // Each kill came between two jobs: by the clock, it may.
        runs.push(run);
        queue::fill(150, 1, &mut conn)?;
    }
    Err(format!("no kill hit a job: {runs:?}").into())
}

#[test]
fn picked_jobs_are_done_once_although_workers_are_killed() -> Result<()> {
    jobs_of_killed_workers_are_done_by_others(Variant::Held)
}

#[test]
fn leased_jobs_are_picked_again_when_workers_are_killed() -> Result<()> {
    jobs_of_killed_workers_are_done_by_others(Variant::Lease)
}

/// The job in hand is finished, and whatever is left is as free as before.
fn a_shutdown_finishes_what_was_begun(variant: Variant) -> Result<()> {
    let (database, mut conn) = filled(2_000, 0)?;
    let interrupted = AtomicBool::new(false);
    let crew = crew(&database, variant, &interrupted);
    let tally = thread::scope(|scope| {
        let working = scope.spawn(|| work(&crew));
        until("some jobs are done", || Ok(done::table.count().get_result::<i64>(&mut conn)? > 5))?;
        interrupted.store(true, SeqCst);
        working.join().unwrap_or_else(|_| Err("the crew panicked".into()))
    })?;
    let run = Run::measure(variant.name(), (2_000, 0), 3, &tally, &mut conn)?;
    assert!(run.is_sound() && run.left > 0, "{run:?}");
    assert_eq!((tally.done as i64, tally.kills), (run.done, 0));
    let taken: i64 = jobs::table.filter(jobs::locked_by.is_not_null()).count().get_result(&mut conn)?;
    assert_eq!(taken, 0);
    let failed = Report { runs: vec![run] };
    assert!(!failed.is_complete() && failed.to_string().contains("STOPPED EARLY"), "{failed}");
    Ok(())
}

#[test]
fn a_picked_job_is_finished_before_a_worker_stops() -> Result<()> {
    a_shutdown_finishes_what_was_begun(Variant::Held)
}

#[test]
fn a_leased_pick_is_finished_before_a_worker_stops() -> Result<()> {
    a_shutdown_finishes_what_was_begun(Variant::Lease)
}

#[test]
fn picks_come_by_priority() -> Result<()> {
    let (_database, mut conn) = filled(9, 0)?;
    let all: Vec<Job> = conn.transaction(|conn| queue::due().pick(20, conn))?;
    assert_eq!(all.iter().map(|job| job.id).collect::<Vec<_>>(), [2, 5, 8, 1, 4, 7, 3, 6, 9]);
    Ok(())
}

#[test]
fn a_pick_whose_lease_ran_out_ends_with_its_new_holder_only() -> Result<()> {
    let (database, mut slow) = filled(1, 0)?;
    let (mut fast, none) = (database.connect()?, Duration::ZERO);
    let late = lease::take("1.1", none, &mut slow)?.ok_or("there is a job")?;
    let taken = lease::take("2.2", Duration::from_secs(60), &mut fast)?.ok_or("the lease has run out")?;
    assert_eq!((late.id, late.attempts, taken.id, taken.attempts), (1, 1, 1, 2));
    assert!(lease::take("3.3", none, &mut fast)?.is_none(), "the second lease is good");

    assert_eq!(slow.transaction(|conn| late.finish("1.1", conn))?, Outcome::Lost);
    assert_eq!(late.put_back(1, "too late", &mut slow)?, Outcome::Lost);
    assert_eq!(fast.transaction(|conn| taken.finish("2.2", conn))?, Outcome::Done);
    assert_eq!(fast.transaction(|conn| taken.finish("2.2", conn))?, Outcome::Lost);
    let by: Vec<String> = done::table.select(done::worker).load(&mut fast)?;
    assert_eq!(by, ["2.2"]);
    Ok(())
}

#[test]
fn a_job_that_is_lost_or_done_twice_is_a_failure_of_the_picks() {
    let right = Run {
        variant: Variant::Held.name(),
        jobs: 10,
        poison: 1,
        done: 10,
        distinct: 10,
        marked_done: 10,
        dead: 1,
        left: 0,
        again: 4,
        lost: 0,
        kills: 0,
        taken_over: 0,
        per_worker: vec![5, 5],
        seconds: 0.5,
    };
    assert!(Report { runs: vec![right.clone()] }.is_complete());
    let broken: [fn(&mut Run); 5] = [
        |run| run.done = 11,
        |run| run.distinct = 9,
        |run| (run.distinct, run.done, run.marked_done, run.dead) = (9, 9, 9, 2),
        |run| run.marked_done = 9,
        |run| run.dead = 0,
    ];
    for break_it in broken {
        let mut run = right.clone();
        break_it(&mut run);
        let report = Report { runs: vec![right.clone(), run] };
        assert!(!report.is_complete() && report.to_string().contains("FAILED"), "{report}");
        assert!(report.json().starts_with(r#"{"complete":false,"#));
    }
    assert!(!Report::default().is_complete());
}
