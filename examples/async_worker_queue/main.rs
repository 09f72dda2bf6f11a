//! The queue of the example `worker_queue`, with workers that are tasks of a tokio runtime and share a pool of connections. Twice:
//! on a runtime of several threads, and on one of the current thread only.
//!
//! The table of jobs, the order in which they come, the pauses between tries and the final check are those of `worker_queue`. Its
//! other half, workers that die in the middle of a job, needs processes. Here a session is what may die, and its worker goes on
//! with another one.
//!
//! Run it with `cargo run --release --features postgres,async --example async_worker_queue`, or on MySQL or MariaDB with
//! `cargo run --release -p examples_on_mysql --example async_worker_queue_on_mysql`; `cargo xtask test -- async_workers` runs both,
//! in small.

#![allow(unexpected_cfgs, reason = "the package `examples_on_mysql` has no feature `postgres`")]

#[path = "../worker_queue/queue.rs"]
mod queue;
#[path = "../worker_queue/report.rs"]
mod report;
#[path = "../shared/mod.rs"]
mod shared;
#[path = "../worker_queue/tally.rs"]
mod tally;

mod attempt;
#[cfg(test)]
mod tests;
mod worker;
mod workers;

use std::{process::ExitCode, time::Duration};

use clap::{Parser, ValueEnum, value_parser};
use diesel::connection::SimpleConnection;
use shared::{Database, Result};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    report::{Report, Run},
    workers::Workers,
};

/// Has asynchronous workers do a queue of jobs, and counts how often each was done.
#[derive(Debug, Parser)]
#[command(name = "async_worker_queue")]
struct Options {
    /// The number of workers, and of connections.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = value_parser!(u32).range(1..=64))]
    workers: u32,
    /// The number of jobs that can be done.
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    jobs: u32,
    /// The number of jobs that fail at every try, besides.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(0..=1_000))]
    poison: u32,
    /// The duration of the work on a job.
    #[arg(long, value_name = "MS", default_value_t = 2, value_parser = value_parser!(u64).range(0..=60_000))]
    millis_work: u64,
    /// The kind of runtime; without it, the one and then the other.
    #[arg(long, value_enum)]
    runtime: Option<Flavor>,
    /// End standard output with one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Flavor {
    MultiThread,
    CurrentThread,
}

impl Flavor {
    fn name(self) -> &'static str {
        match self {
            Flavor::MultiThread => "multi-thread",
            Flavor::CurrentThread => "current-thread",
        }
    }

    fn build(self) -> Result<Runtime> {
        let mut builder = match self {
            Flavor::MultiThread => Builder::new_multi_thread(),
            Flavor::CurrentThread => Builder::new_current_thread(),
        };
        Ok(builder.enable_all().build()?)
    }
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let report = queue(&options)?;
    println!("{report}");
    if options.json {
        println!("{}", report.json());
    }
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn queue(options: &Options) -> Result<Report> {
    let database = Database::create("async_worker_queue")?;
    let conn = &mut database.connect()?;
    conn.batch_execute(queue::TABLES)?;
    let workers = Workers {
        url: database.url(),
        count: options.workers as usize,
        takes: Duration::from_millis(options.millis_work),
    };
    let mut report = Report::default();
    let flavors = options.runtime.map_or(vec![Flavor::MultiThread, Flavor::CurrentThread], |flavor| vec![flavor]);
    for flavor in flavors {
        queue::fill(options.jobs, options.poison, conn)?;
        let (tally, stopped) = flavor.build()?.block_on(async {
            let stop = stop_on_a_signal()?;
            Ok::<_, shared::Error>((workers.run(stop.clone()).await?, *stop.borrow()))
        })?;
        report.runs.push(Run::measure(flavor.name(), (options.jobs, options.poison), workers.count, &tally, conn)?);
        if stopped {
            break;
        }
    }
    Ok(report)
}

/// Returns a value that becomes `true` with Ctrl-C or SIGTERM.
fn stop_on_a_signal() -> Result<watch::Receiver<bool>> {
    let (stop, stopped) = watch::channel(false);
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut signals, stop) = (signal(kind)?, stop.clone());
        tokio::spawn(async move {
            signals.recv().await;
            stop.send_replace(true)
        });
    }
    Ok(stopped)
}
