//! Counts the round trips of every verb, between a client and a real server, and compares them with those that are pinned.
//!
//! Run it with `cargo xtask bench trips`, which brings the servers along; or, with `PG_DATABASE_URL` and `MYSQL_DATABASE_URL`
//! set, with `cargo run --features postgres,mysql,async --example bench_trips`. It is an example and not a bench target, so that its
//! tests run with all others: they hold the pinned counts.
//!
//! | file | what is there |
//! | --- | --- |
//! | `proxy` | a TCP proxy between client and server that counts |
//! | `count` | how one verb is counted, cold and warm |
//! | `verbs` | the verbs, written once, compiled for each kind of connection by `on_postgres` and `on_mysql` |
//! | `awaited` | the main verbs over diesel-async, and diesel-async by hand |
//! | `counts`, `pinned` | counts as text, JSON and Markdown; how they differ from `pinned.txt` |

#![allow(clippy::duplicate_mod, reason = "the verbs are included once for each kind of connection")]

#[path = "../../examples/shared/mod.rs"]
mod shared;

#[path = "../shared/proxy.rs"]
mod proxy;
#[path = "../shared/results.rs"]
mod results;

mod awaited;
mod count;
mod counts;
mod on_mysql;
mod on_postgres;
mod pinned;

use std::{path::Path, process::ExitCode};

use clap::Parser;
use diesel::{MysqlConnection, PgConnection};
use diesel_async::{AsyncMysqlConnection, AsyncPgConnection};

use crate::{awaited::Awaited, count::count, pinned::Pinned, shared::Result};

/// Counts how often a client speaks and a server answers in each verb, on PostgreSQL and on MySQL or MariaDB, blocking and over
/// diesel-async: in the first call on a connection (cold) and in those after it (warm). Fails if a count is not the pinned one.
#[derive(Debug, Parser)]
#[command(name = "bench_trips")]
struct Options {
    /// Pin what is counted, and write all that is pinned into RESULTS.md.
    #[arg(long)]
    accept: bool,
    /// End standard output with one line of JSON: trips and bytes, by server and verb.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(differences) if differences.is_empty() => ExitCode::SUCCESS,
        Ok(differences) => {
            eprintln!("{differences}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("bench_trips: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns how the counts differ from the pinned ones, unless they are to be pinned.
fn run(options: &Options) -> Result<String> {
    let counted = [
        count::<PgConnection>()?,
        count::<MysqlConnection>()?,
        count::<Awaited<AsyncPgConnection>>()?,
        count::<Awaited<AsyncMysqlConnection>>()?,
    ];
    for counts in &counted {
        println!("{counts}");
    }
    let mut pinned = Pinned::read()?;
    let differences: String = counted.iter().map(|counts| pinned.differences(counts)).collect();
    let json = counts::json(&counted);
    if options.accept {
        counted.into_iter().for_each(|counts| pinned.accept(counts));
        pinned.write()?;
        let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/RESULTS.md");
        results::put(&results, "trips", &pinned.section())?;
    }
    if options.json {
        println!("{json}");
    }
    Ok(if options.accept { String::new() } else { differences })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::Face;

    fn counts_are_the_pinned_ones<F: Face>() {
        let differences = Pinned::read().unwrap().differences(&count::<F>().unwrap());
        assert!(differences.is_empty(), "{differences}");
    }

    #[test]
    fn round_trips_on_postgres_are_the_pinned_ones() {
        counts_are_the_pinned_ones::<PgConnection>();
    }

    #[test]
    fn round_trips_on_mysql_are_the_pinned_ones() {
        counts_are_the_pinned_ones::<MysqlConnection>();
    }

    #[test]
    fn round_trips_over_diesel_async_on_postgres_are_the_pinned_ones() {
        counts_are_the_pinned_ones::<Awaited<AsyncPgConnection>>();
    }

    #[test]
    fn round_trips_over_diesel_async_on_mysql_are_the_pinned_ones() {
        counts_are_the_pinned_ones::<Awaited<AsyncMysqlConnection>>();
    }
}
