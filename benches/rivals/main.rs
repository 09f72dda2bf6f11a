//! What it costs to lock rows by this crate, beside other ways: bare SQL, Diesel by hand, sqlx, SeaORM, Django, and a queue.
//!
//! Run it with `cargo xtask bench rivals`, which brings a server and pgbench along; or, with `PG_DATABASE_URL` set, with
//! `cargo run --release --manifest-path benches/rivals/Cargo.toml`. It is no member of the workspace: nothing else builds the rivals.
//!
//! | file | what is there |
//! | --- | --- |
//! | `operation`, `tables` | what is done, and on which rows |
//! | `ways` | the rivals; `django_rival.py` is the program of one of them |
//! | `slice`, `measure`, `trips` | many sessions at once; which slice comes when; round trips of a call |
//! | `report`, `plot` | the figures, as a section of `RESULTS.md` and as a picture |
//!
//! What other benches use too is in `benches/shared`.

#[path = "../shared/awake.rs"]
mod awake;
#[path = "../pick/backlog.rs"]
mod backlog;
#[path = "../shared/circumstances.rs"]
mod circumstances;
#[path = "../shared/median.rs"]
mod median;
#[path = "../shared/pgbench.rs"]
mod pgbench;
#[allow(dead_code, reason = "it counts bytes too")]
#[path = "../shared/proxy.rs"]
mod proxy;
#[path = "../shared/results.rs"]
mod results;
#[path = "../../examples/shared/mod.rs"]
mod shared;

mod measure;
mod operation;
mod plot;
mod report;
mod slice;
mod tables;
mod trips;
mod ways;

use std::{
    path::Path,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use clap::Parser;

use crate::{
    awake::Awake,
    backlog::Backlog,
    circumstances::circumstances,
    measure::Plan,
    shared::{Database, Result},
    ways::Ground,
};

/// Locks rows and claims jobs by this crate and by others, in turns, on one PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "bench_rivals")]
struct Options {
    /// How often each way is measured, in turns.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// How many milliseconds a slice of Diesel by hand takes, about. The others make as many calls.
    #[arg(long, value_name = "N", default_value_t = 150, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    milliseconds: u64,
    /// Only see whether it works: one round of short slices; the results are printed and not written.
    #[arg(long)]
    quick: bool,
}

/// How many jobs there are to take.
const JOBS: u32 = 60_000;

fn main() -> ExitCode {
    match bench(&Options::parse()) {
        Ok(section) => {
            println!("{section}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench_rivals: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &Options) -> Result<String> {
    // Ctrl-C ends the slice that goes on, so that the database is dropped on the way out.
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let plan = match options.quick {
        true => Plan { rounds: 1, time: Duration::from_millis(20) },
        false => Plan { rounds: options.rounds, time: Duration::from_millis(options.milliseconds) },
    };
    let database = Database::create("bench_rivals")?;
    let url = database.url();
    let conn = &mut database.connect()?;
    tables::make(conn)?;
    let mut ground = Ground::prepare(&url, Backlog::new(&database, JOBS)?);
    let _awake = Awake::keep()?;
    let contests = plan.run(&mut ground, conn, &stop)?;
    let section = report::section(&circumstances(conn)?, &ground.versions(), &plan, &contests);
    if !options.quick {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        plot::draw(&contests, &folder.join("rivals.svg"))?;
        results::put(&folder.join("RESULTS.md"), "rivals", &section)?;
    }
    Ok(section)
}
