//! The main job on real input: many sessions move money over pgbench's tables, first naively, then with `LockSet`.
//!
//! Run it with `cargo xtask demo`, which brings a server and pgbench along; or, with `PG_DATABASE_URL` set, with
//! `cargo run --release --package demo`. With `--no-default-features --features mysql -- --backend mysql` it does the same on MySQL or
//! MariaDB, where the variable is `MYSQL_DATABASE_URL` and no pgbench is needed.

#![allow(clippy::duplicate_mod, reason = "the story is included once for each kind of connection")]

#[path = "../shared/mod.rs"]
mod shared;

mod backend;
mod bank;
#[cfg(feature = "mysql")]
mod on_mysql;
#[cfg(feature = "postgres")]
mod on_postgres;
mod report;
mod sessions;

use std::{
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use clap::{Parser, ValueEnum};
use shared::{DatabaseOn, Result};

use crate::{backend::Backend, report::Report, sessions::Workload};

/// Moves money between random accounts of pgbench's bank in many sessions at once: first locking row by row in the order
/// in which a transfer comes to need them, then all rows of a transfer by one LockSet. Each of the two runs for the given
/// time, on transfers from the same dice.
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Options {
    /// The kind of server to work on.
    #[arg(long, value_enum, default_value_t = On::value_variants()[0])]
    backend: On,
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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum On {
    #[cfg(feature = "postgres")]
    Postgres,
    /// MySQL or MariaDB, whichever MYSQL_DATABASE_URL names.
    #[cfg(feature = "mysql")]
    Mysql,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match options.backend {
        #[cfg(feature = "postgres")]
        On::Postgres => demo::<diesel::PgConnection>(&options),
        #[cfg(feature = "mysql")]
        On::Mysql => demo::<diesel::MysqlConnection>(&options),
    };
    match outcome {
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

fn demo<C: Backend>(options: &Options) -> Result<Report> {
    // Ctrl-C lets the sessions finish, so that the database is dropped on the way out.
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }

    let database = DatabaseOn::<C>::create("demo")?;
    C::make_tables(&database)?;
    let bank = database.connect()?.open_bank()?;
    eprintln!("pgbench's bank is open: {bank}");
    let workload = Workload {
        database: &database,
        bank: &bank,
        sessions: options.sessions,
        time: Duration::from_secs(options.seconds.into()),
        interrupted: &interrupted,
    };
    let naive = workload.run("naive order", C::IN_ORDER_OF_NEED)?;
    let lock_set = workload.run("LockSet", C::IN_ONE_SET)?;
    Ok(Report { naive, lock_set })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of each way, with as many sessions as it takes to get in each other's way.
    fn keeps_its_promises<C: Backend>(backend: On) -> Result<()> {
        let report = demo::<C>(&Options { backend, seconds: 1, sessions: 4, json: false })?;
        assert!(report.promises_hold(), "{report}");
        Ok(())
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn on_postgres() -> Result<()> {
        keeps_its_promises::<diesel::PgConnection>(On::Postgres)
    }

    #[cfg(feature = "mysql")]
    #[test]
    fn on_mysql() -> Result<()> {
        keeps_its_promises::<diesel::MysqlConnection>(On::Mysql)
    }
}
