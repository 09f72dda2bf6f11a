//! The main job on real input: many sessions move money over pgbench's tables, first naively, then with `LockSet`.
//!
//! Run it with `cargo xtask demo`, which brings a server and pgbench along; or, with `PG_DATABASE_URL` set, with
//! `cargo run --release --features postgres --example demo`.

#[path = "../shared/mod.rs"]
mod shared;

mod bank;
mod in_one_set;
mod in_order_of_need;
mod report;
mod sessions;

use std::{
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use clap::Parser;
use shared::{Database, Result};

use crate::{bank::Bank, report::Report, sessions::Workload};

/// Moves money between random accounts of pgbench's bank in many sessions at once: first locking row by row in the order
/// in which a transfer comes to need them, then all rows of a transfer by one LockSet. Each of the two runs for the given
/// time, on transfers from the same dice.
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Options {
    /// How long each of the two ways of locking runs.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// How many sessions work at the same time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    sessions: u32,
    /// End standard output with one line of JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match demo(&options) {
        Ok(report) => {
            println!("{report}");
            if options.json {
                println!("{}", report.json());
            }
            if report.promises_hold() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demo(options: &Options) -> Result<Report> {
    // Ctrl-C lets the sessions finish, so that the database is dropped on the way out.
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }

    let database = Database::create("demo")?;
    let bank = Bank::open(&database)?;
    eprintln!("pgbench's bank is open: {bank}");
    let workload = Workload {
        database: &database,
        bank: &bank,
        sessions: options.sessions,
        time: Duration::from_secs(options.seconds.into()),
        interrupted: &interrupted,
    };
    let naive = workload.run("naive order", in_order_of_need::transfer)?;
    let lock_set = workload.run("LockSet", in_one_set::transfer)?;
    Ok(Report { naive, lock_set })
}
