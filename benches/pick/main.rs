//! Picks and claims per second through this crate, beside pgbench with the same SQL written by hand, on the same server.
//!
//! Run it with `cargo xtask bench pick`, which brings a server and pgbench along; or, with `PG_DATABASE_URL` set, with
//! `cargo run --release --features postgres --example bench_pick`. It is an example and not a bench target, so that its
//! tests run with all others.
//!
//! | room | what is there |
//! | --- | --- |
//! | `work` | what a worker does, on each side |
//! | `backlog` | the work queue |
//! | `sides`, `measure` | how a side is run; what is compared with what |
//! | `awake` | sees to it that no core goes to sleep meanwhile |
//! | `advice` | what the documentation advises, measured |
//! | `report`, `plot`, `results` | the figures, as text, as a picture, as a section of `RESULTS.md` |
//!
//! What other benches use too is in `benches/shared`.

#[path = "../../examples/shared/mod.rs"]
mod shared;

#[path = "../shared/awake.rs"]
mod awake;
#[path = "../shared/circumstances.rs"]
mod circumstances;
#[path = "../shared/median.rs"]
mod median;
#[path = "../shared/pgbench.rs"]
mod pgbench;
#[path = "../shared/results.rs"]
mod results;

mod advice;
mod backlog;
mod measure;
mod plot;
mod report;
mod sides;
mod work;

use std::{
    path::Path,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use clap::Parser;
use shared::{Database, Result};

use crate::{advice::Advice, awake::Awake, backlog::Backlog, measure::Plan, report::Report};

/// Measures how many jobs a second 1 to 32 workers pick and claim out of a backlog of 200,000, through this crate and by
/// pgbench with the same SQL, in turns; then what three pieces of advice are worth.
#[derive(Debug, Parser)]
#[command(name = "bench_pick")]
struct Options {
    /// How long each of the measurements takes, about.
    #[arg(long, value_name = "N", default_value = "0.2", value_parser = seconds)]
    seconds: Duration,
    /// How often each side is measured, in turns; with more than one job per call a quarter of it, and three times at least.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// How many workers there are at the same time.
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_values_t = [1, 2, 4, 8, 16, 32])]
    workers: Vec<u32>,
    /// Only calls for so many jobs, and nothing else; the results are printed and not written.
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    per_call: Vec<u32>,
    /// Only see whether it works: a small backlog, 1 and 4 workers, a moment each.
    #[arg(long)]
    quick: bool,
    /// End standard output with one line of JSON: the ratios, by operation, jobs per call, workers.
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Returns whether everything is measured, so that the results replace those of `benches`.
    fn is_full(&self) -> bool {
        !self.quick && self.per_call.is_empty()
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match bench(&options) {
        Ok(report) => {
            println!("{report}");
            if options.json {
                println!("{}", report.json());
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench_pick: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads a number of seconds, which may have a fraction.
fn seconds(text: &str) -> Result<Duration> {
    let seconds = text.parse::<f64>()?;
    if !(0.01..=3_600.0).contains(&seconds) {
        return Err("not between 0.01 and 3600".into());
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn bench(options: &Options) -> Result<Report> {
    // Ctrl-C ends the run that goes on, so that the database is dropped on the way out.
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }

    let all = || vec![1, 10, 100];
    let per_call = if options.per_call.is_empty() { all() } else { options.per_call.clone() };
    let (rows, plan) = if options.quick {
        (5_000, Plan { per_call, workers: vec![1, 4], time: Duration::from_millis(100), runs: 1 })
    } else {
        (200_000, Plan { per_call, workers: options.workers.clone(), time: options.seconds, runs: options.runs })
    };
    let database = Database::create("bench_pick")?;
    let backlog = Backlog::new(&database, rows)?;
    let _awake = Awake::keep()?;
    // The short part first: it must not fail after the long one.
    let advice = if options.per_call.is_empty() { Some(Advice::measure(&backlog, &stop)?) } else { None };
    let comparisons = plan.run(&backlog, &stop)?;
    let report = Report::new(&database, &plan, rows, comparisons, advice)?;
    if options.is_full() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
        plot::draw(&report.comparisons, &folder.join("pick.svg"))?;
        results::put(&folder.join("RESULTS.md"), "pick", &report.section())?;
    }
    Ok(report)
}
