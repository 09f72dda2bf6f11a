//! Many workers at once, each with so many rounds to do, and how fast they were.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::{Duration, Instant},
};

use diesel_lockset::LockError;

use crate::{
    backlog::TAKEN,
    pgbench,
    shared::{Database, Result},
    work::{Operation, Side},
};

/// What is done: so many rounds by each worker, with so many jobs in each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    pub(crate) operation: Operation,
    pub(crate) per_call: u32,
    pub(crate) workers: u32,
    pub(crate) rounds: u32,
}

impl Task {
    /// Runs the task and returns the rounds per second of all workers together.
    pub(crate) fn run(&self, side: Side, database: &Database, stop: &AtomicBool) -> Result<f64> {
        match side {
            Side::Ours => self.ours(database, None, stop),
            Side::Bare | Side::Short => self.pgbench(side, database),
        }
    }

    /// As `run` on our side, but for a time instead of a number of rounds.
    pub(crate) fn try_out(&self, database: &Database, time: Duration, stop: &AtomicBool) -> Result<f64> {
        self.ours(database, Some(time), stop)
    }

    fn ours(&self, database: &Database, time: Option<Duration>, stop: &AtomicBool) -> Result<f64> {
        let Task { operation, per_call, workers, rounds } = *self;
        let spans = database.at_once(workers as usize, |_, conn| {
            let (begin, mut done) = (Instant::now(), 0_u32);
            while time.map_or(done < rounds, |time| begin.elapsed() < time) && !stop.load(SeqCst) {
                let taken = operation.run(per_call, conn)?;
                if taken < per_call as usize {
                    break; // too few jobs: how many were taken is checked afterwards
                }
                done += 1;
            }
            Ok::<_, LockError>((begin, Instant::now(), done))
        })?;
        let begin = spans.iter().map(|(begin, ..)| *begin).min().ok_or("no worker")?;
        let end = spans.iter().map(|(_, end, _)| *end).max().ok_or("no worker")?;
        let done: u32 = spans.iter().map(|(.., done)| done).sum();
        Ok(f64::from(done) / (end - begin).as_secs_f64())
    }

    fn pgbench(&self, side: Side, database: &Database) -> Result<f64> {
        let Task { operation, per_call, workers, rounds } = *self;
        let taken = format!("taken={TAKEN}");
        pgbench::run(&operation.script(per_call, side), &["new=new", &taken], workers, rounds, &database.url())
    }
}
