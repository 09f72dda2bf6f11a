//! A queue of jobs in a table, with priorities, retries, dead jobs, a shutdown that finishes what was begun, and workers that
//! are killed in the middle of a job. Twice: the job is locked while the work goes on, or it is leased.
//!
//! Workers are processes, because a crash ends a process, with whatever it holds. Each job that is done writes a line into a
//! log, in the transaction that marks it as done: a job that was done twice has two.
//!
//! Run it with `cargo run --release --features postgres --example worker_queue`, say with `-- --kill-every 200`, or on MySQL
//! or MariaDB with `cargo run --release -p examples_on_mysql --example worker_queue_on_mysql`; `cargo xtask test -- pick` runs
//! both, in small.

#[path = "../shared/mod.rs"]
mod shared;

mod crew;
mod ending;
mod held;
mod lease;
mod progress;
mod queue;
mod report;
mod tally;
#[cfg(test)]
mod tests;
mod work;
mod worker;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use clap::{Parser, ValueEnum, value_parser};
use diesel::connection::SimpleConnection;
use shared::{Database, Result};

use crate::{
    crew::Crew,
    progress::Progress,
    report::{Report, Run},
    worker::{Orders, Variant},
};

/// Has worker processes do a queue of jobs, and counts how often each was done.
#[derive(Debug, Parser)]
#[command(name = "worker_queue")]
struct Options {
    /// How many workers there are at any time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = value_parser!(u32).range(1..=64))]
    workers: u32,
    /// How many jobs can be done.
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    jobs: u32,
    /// How many jobs fail at every try, besides.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(0..=1_000))]
    poison: u32,
    /// How many times the queue is filled and done.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// How a job is kept from the other workers.
    #[arg(long, value_enum, default_value_t = Variants::Both)]
    variant: Variants,
    /// Kills a worker each time so many milliseconds have passed, and starts another. 0: never.
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = value_parser!(u64).range(0..=3_600_000))]
    kill_every: u64,
    /// How long the work on a job takes.
    #[arg(long, value_name = "MS", default_value_t = 2, value_parser = value_parser!(u64).range(0..=60_000))]
    millis_work: u64,
    /// How long a leased job is not given to others.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u64).range(1..=3_600))]
    seconds_lease: u64,
    /// End standard output with one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Variants {
    /// The job's row is locked while the work goes on.
    Held,
    /// The job is marked as taken for some time.
    Lease,
    /// The one, then the other.
    Both,
}

fn main() -> ExitCode {
    match worker::work_if_told_to() {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => {}
        Err(error) => {
            eprintln!("worker: {error}");
            return ExitCode::FAILURE;
        }
    }
    let options = Options::parse();
    match queue(&options) {
        Ok(report) => {
            println!("{report}");
            if options.json {
                println!("{}", report.json());
            }
            if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("worker_queue: {error}");
            ExitCode::FAILURE
        }
    }
}

fn queue(options: &Options) -> Result<Report> {
    // Ctrl-C reaches the workers too; SIGTERM, perhaps, only this process, which passes it on by closing their input.
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }

    let database = Database::create("worker_queue")?;
    let conn = &mut database.connect()?;
    conn.batch_execute(queue::TABLES)?;
    let variants = match options.variant {
        Variants::Held => &[Variant::Held][..],
        Variants::Lease => &[Variant::Lease],
        Variants::Both => &[Variant::Held, Variant::Lease],
    };
    let mut report = Report::default();
    for &variant in variants {
        let crew = Crew {
            url: database.url(),
            orders: Orders {
                variant,
                lease: Duration::from_secs(options.seconds_lease),
                takes: Duration::from_millis(options.millis_work),
            },
            workers: options.workers as usize,
            kill_every: Some(options.kill_every).filter(|every| *every > 0).map(Duration::from_millis),
            most_kills: usize::MAX,
            arguments: &[],
            interrupted: &interrupted,
        };
        for number in 1..=options.runs {
            queue::fill(options.jobs, options.poison, conn)?;
            let title = format!("{variant:?} {number} of {}", options.runs).to_lowercase();
            let progress = Progress::begin(title, u64::from(options.jobs) + u64::from(options.poison))?;
            let tally = crew.run(&progress)?;
            progress.end(&tally);
            report.runs.push(Run::measure(variant.name(), (options.jobs, options.poison), crew.workers, &tally, conn)?);
            if interrupted.load(SeqCst) {
                return Ok(report);
            }
        }
    }
    Ok(report)
}
