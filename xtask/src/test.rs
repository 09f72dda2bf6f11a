//! `cargo xtask test`: every test, against servers of its own.

use std::process::{Command, ExitCode};

use crate::cli::TestOptions;
use crate::install::Need;
use crate::matrix;
use crate::process::{AT_ONCE, exit_code};
use crate::server::{Databases, Wanted};
use crate::supervisor::Supervisor;
use crate::workspace;

/// The tests that are run: unit, integration and documentation tests of every package, and the examples, each of
/// which has a test that runs it (`test = true` in `Cargo.toml`).
const CARGO_TEST: &[&str] = &["test", "--workspace", "--all-features"];

/// More than the cores of a small machine: most tests wait for a server, not for the processor.
const TEST_THREADS: &str = "4";

pub(crate) fn run(options: &TestOptions) -> anyhow::Result<ExitCode> {
    if options.matrix {
        return matrix::run(options);
    }
    let supervisor = Supervisor::new()?;
    let mut databases = databases(&supervisor, options)?;

    let mut command = cargo_test(&options.passed_on);
    databases.equip(&mut command);
    set_threads(&mut command);
    let status = supervisor.spawn(&mut command, AT_ONCE)?.wait_and(|| databases.revive())?;
    if !status.success() {
        databases.keep_logs();
    }
    Ok(exit_code(status))
}

/// Starts the servers of the suite. pgbench is for the demo, which is run as a test too; pgbouncer is started by the tests
/// that want it, in front of the databases that they make.
pub(crate) fn databases<'s>(supervisor: &'s Supervisor, options: &TestOptions) -> anyhow::Result<Databases<'s>> {
    let needs = [Need::Libpq, Need::Libmariadb, Need::Pgbench, Need::Pgbouncer];
    Databases::open(supervisor, &options.servers, &needs, &Wanted::SUITE)
}

pub(crate) fn set_threads(command: &mut Command) {
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", TEST_THREADS);
    }
}

fn cargo_test(passed_on: &[String]) -> Command {
    let mut command = workspace::cargo(CARGO_TEST);
    if !passed_on.is_empty() {
        command.arg("--").args(passed_on);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(command: &Command) -> Vec<&str> {
        command.get_args().filter_map(|argument| argument.to_str()).collect()
    }

    #[test]
    fn filter_and_options_come_after_the_dashes() {
        assert_eq!(arguments(&cargo_test(&[])), CARGO_TEST);
        let passed_on = ["pick".to_owned(), "--nocapture".to_owned()];
        let command = cargo_test(&passed_on);
        assert_eq!(arguments(&command)[CARGO_TEST.len()..], ["--", "pick", "--nocapture"]);
    }
}
