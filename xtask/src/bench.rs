//! `cargo xtask bench`: programs that measure and count.

use std::process::{Command, ExitCode};

use crate::cli::{PickOptions, TripsOptions};
use crate::install::Need;
use crate::server::{Databases, Wanted};
use crate::supervisor::Supervisor;
use crate::workspace;

/// The bench of picks and claims, optimised.
const CARGO_PICK: &[&str] =
    &["run", "--release", "--package", "diesel_lockset", "--example", "bench_pick", "--features", "postgres"];

/// The count of round trips. How fast it runs does not matter.
const CARGO_TRIPS: &[&str] =
    &["run", "--package", "diesel_lockset", "--example", "bench_trips", "--features", "postgres,mysql", "--"];

/// On a server with the settings of a real one, its data in memory.
pub(crate) fn pick(options: &PickOptions) -> anyhow::Result<ExitCode> {
    let supervisor = Supervisor::in_memory()?;
    // Linked like the tests, against both client libraries.
    let needs = [Need::Libpq, Need::Libmariadb, Need::Pgbench];
    let databases = Databases::open(&supervisor, &options.server.options(), &needs, &Wanted::DEMO)?;
    databases.run(&supervisor, cargo_pick(options))
}

pub(crate) fn trips(options: &TripsOptions) -> anyhow::Result<ExitCode> {
    let supervisor = Supervisor::new()?;
    let databases = Databases::open(&supervisor, &options.servers, &[Need::Libpq, Need::Libmariadb], &Wanted::BOTH)?;
    let mut command = workspace::cargo(CARGO_TRIPS);
    command.args(options.accept.then_some("--accept")).args(options.json.then_some("--json"));
    databases.run(&supervisor, command)
}

fn cargo_pick(options: &PickOptions) -> Command {
    let mut command = workspace::cargo(CARGO_PICK);
    command.arg("--");
    command.args(options.seconds.iter().flat_map(|seconds| ["--seconds".to_owned(), seconds.to_string()]));
    command.args(options.runs.iter().flat_map(|runs| ["--runs".to_owned(), runs.to_string()]));
    command.args(options.json.then_some("--json"));
    if let Some(rows) = options.per_call {
        command.args(["--no-advice".to_owned(), "--per-call".to_owned(), rows.to_string()]);
    }
    if options.quick {
        command.arg("--quick");
    } else if options.per_call.is_none() {
        command.args(["--into", "benches"]); // a folder of the root, where cargo runs the program
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(options: &PickOptions) -> Vec<String> {
        let command = cargo_pick(options);
        let arguments = command.get_args().skip(CARGO_PICK.len());
        arguments.map(|argument| argument.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn only_a_full_bench_of_picks_writes_its_results() {
        let full = PickOptions { seconds: Some(0.5), runs: Some(3), json: true, ..Default::default() };
        assert_eq!(arguments(&full), ["--", "--seconds", "0.5", "--runs", "3", "--json", "--into", "benches"]);
        let quick = PickOptions { quick: true, ..Default::default() };
        assert_eq!(arguments(&quick), ["--", "--quick"]);
        let single = PickOptions { per_call: Some(1), ..Default::default() };
        assert_eq!(arguments(&single), ["--", "--no-advice", "--per-call", "1"]);
    }
}
