//! Counts the instructions of the client in calls of this crate, and in Diesel by hand that does the same, by [callgrind], and times both.
//!
//! Run it with `cargo xtask bench work`, which brings servers and callgrind along; or, with `PG_DATABASE_URL` and
//! `MYSQL_DATABASE_URL` set, with `cargo run --release --package bench_work`.
//!
//! | file | what is there |
//! | --- | --- |
//! | `cases` | the tables and the calls, written once, compiled for each kind of connection by `on_postgres` and `on_mysql` |
//! | `count` | how one call is counted |
//! | `time` | how the two sides are timed beside each other |
//! | `report` | the counts as text, JSON and Markdown |
//!
//! [callgrind]: https://valgrind.org/docs/manual/cl-manual.html

#![allow(clippy::duplicate_mod, reason = "the cases are included once for each kind of connection")]

#[path = "../../examples/shared/mod.rs"]
mod shared;

#[path = "../shared/results.rs"]
mod results;

#[path = "../shared/awake.rs"]
mod awake;

#[path = "../shared/median.rs"]
mod median;

mod count;
mod on_mysql;
mod on_postgres;
mod report;
mod time;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;

use crate::{awake::Awake, count::Counted, shared::Result};

/// Counts the client's instructions per call, on PostgreSQL and on MySQL or MariaDB.
#[derive(Debug, Parser)]
#[command(name = "bench_work")]
struct Options {
    /// Only the cases whose name has this in it; the counts are printed, and not written into `RESULTS.md`.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Keep the profiles in this folder, for `callgrind_annotate`.
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
    /// End standard output with one line of JSON: the counts, by server and case.
    #[arg(long)]
    json: bool,
    /// Run a case, as the process that is counted: its server, its place in the list, the side, how often, and the URL.
    #[arg(long, num_args = 5, hide = true)]
    call: Vec<String>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench_work: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    if let [server, case, side, times, url] = &options.call[..] {
        let call = match server.as_str() {
            "postgres" => on_postgres::cases::call,
            _ => on_mysql::cases::call,
        };
        return call(case.parse()?, side, times.parse()?, url);
    }
    let folder = tempfile::tempdir()?;
    let profiles = options.profiles.as_deref().unwrap_or(folder.path());
    fs::create_dir_all(profiles)?;
    let _awake = Awake::keep()?;
    let only = options.only.as_deref().unwrap_or_default();
    let counted: Vec<Counted> =
        [on_postgres::cases::count("postgres", only, profiles)?, on_mysql::cases::count("mysql", only, profiles)?]
            .into();
    println!("{}", report::text(&counted));
    if only.is_empty() {
        let results = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../RESULTS.md"));
        results::put(results, "work", &report::section(&counted))?;
    }
    if options.json {
        println!("{}", report::json(&counted));
    }
    Ok(())
}
