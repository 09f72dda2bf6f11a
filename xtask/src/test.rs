//! `cargo xtask test`: every test, against servers of its own.

use std::process::{Command, ExitCode};

use crate::cli::TestOptions;
use crate::install::Need;
use crate::server::{Databases, Wanted};
use crate::supervisor::Supervisor;
use crate::workspace;

/// The tests that are run: unit, integration and documentation tests of every package, and the examples, each of
/// which has a test that runs it (`test = true` in `Cargo.toml`).
const CARGO_TEST: &[&str] = &["test", "--workspace", "--all-features"];

/// More than the cores of a small machine: most tests wait for a server, not for the processor.
const TEST_THREADS: &str = "4";

pub(crate) fn run(options: &TestOptions) -> anyhow::Result<ExitCode> {
    let supervisor = Supervisor::new()?;
    databases(&supervisor, options)?.run(&supervisor, cargo_test(options))
}

/// Starts the servers of the suite. pgbench is for the demo, which is run as a test too; pgbouncer is started by the tests
/// that want it, in front of the databases that they make.
pub(crate) fn databases<'s>(supervisor: &'s Supervisor, options: &TestOptions) -> anyhow::Result<Databases<'s>> {
    let needs = [Need::Libpq, Need::Libmariadb, Need::Pgbench, Need::Pgbouncer];
    Databases::open(supervisor, &options.servers, &needs, &Wanted::SUITE)
}

/// Sets the variables by which the test programs are told how to run.
pub(crate) fn instruct(command: &mut Command, options: &TestOptions) {
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", TEST_THREADS);
    }
    command.envs(options.seconds.map(|seconds| ("DIESEL_LOCKSET_ATTACK_SECONDS", seconds.to_string())));
    command.envs(options.seed.map(|seed| ("DIESEL_LOCKSET_ATTACK_SEED", seed.to_string())));
}

fn cargo_test(options: &TestOptions) -> Command {
    let mut command = workspace::cargo(CARGO_TEST);
    instruct(&mut command, options);
    if !options.passed_on.is_empty() {
        command.arg("--").args(&options.passed_on);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(command: &Command) -> Vec<&str> {
        command.get_args().filter_map(|argument| argument.to_str()).collect()
    }

    fn options(passed_on: &[&str]) -> TestOptions {
        let passed_on = passed_on.iter().map(|word| (*word).to_owned()).collect();
        TestOptions { servers: Default::default(), matrix: false, seconds: Some(60.0), seed: None, passed_on }
    }

    #[test]
    fn filter_and_options_come_after_the_dashes() {
        assert_eq!(arguments(&cargo_test(&options(&[]))), CARGO_TEST);
        let command = cargo_test(&options(&["pick", "--nocapture"]));
        assert_eq!(arguments(&command)[CARGO_TEST.len()..], ["--", "pick", "--nocapture"]);
    }

    #[test]
    fn an_attack_is_told_how_long_and_no_seed_that_was_not_given() {
        let command = cargo_test(&options(&["attack"]));
        let told = |name| command.get_envs().find(|(variable, _)| *variable == name).and_then(|(_, value)| value);
        assert_eq!(told("DIESEL_LOCKSET_ATTACK_SECONDS"), Some("60".as_ref()));
        assert_eq!(told("DIESEL_LOCKSET_ATTACK_SEED"), None);
    }
}
