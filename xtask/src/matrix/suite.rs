//! The calls of cargo that build, list and run the test programs, and what is read from the answers: no IO.

use std::process::Command;

use super::servers::Family;
use crate::workspace;

/// Of the whole workspace, so that these are the programs that `cargo xtask test` has built, and not others with fewer
/// features in what they depend on. Each is run, also after one that fails.
const CARGO_TEST: &[&str] = &["test", "--workspace", "--all-features", "--no-fail-fast"];

/// The test of each family that prints what its server is, and what the line begins with.
const VERSION: (&str, &str) = ("version::the_server_tells_it", "version: ");

/// Options of the test programs whose value may be a word of its own.
const WITH_VALUE: &[&str] = &["--skip", "--test-threads", "--logfile", "--color", "--format", "--shuffle-seed", "-Z"];

fn cargo(programs: &[&str]) -> Command {
    let mut command = workspace::cargo(CARGO_TEST);
    command.args(programs.iter().flat_map(|program| ["--test", *program]));
    command
}

pub(super) fn build(programs: &[&str]) -> Command {
    let mut command = cargo(programs);
    command.arg("--no-run");
    command
}

/// Lists the tests that `passed_on` picks out.
pub(super) fn list(family: Family, passed_on: &[String]) -> Command {
    let mut command = cargo(family.programs());
    command.arg("--").args(passed_on).args(["--list", "--format", "terse"]);
    command
}

/// Reads what `list` printed: a line `path::of::the_test: test` for each.
pub(super) fn listed(output: &str, family: Family) -> Vec<&str> {
    let tests = output.lines().filter_map(|line| line.strip_suffix(": test"));
    tests.filter(|test| test.starts_with(family.test_prefix())).collect()
}

/// Asks the server for its version, by a test: xtask itself speaks with no server.
pub(super) fn version(family: Family) -> Command {
    let mut command = cargo(&["suite"]);
    command.arg("--").arg(format!("{}{}", family.test_prefix(), VERSION.0)).args(["--exact", "--nocapture"]);
    command
}

pub(super) fn told_version(output: &str) -> Option<&str> {
    // Not at the beginning of the line: what the test program prints before is not ended yet.
    output.lines().find_map(|line| Some(line.split_once(VERSION.1)?.1.trim()))
}

/// Runs the tests with these very names. Filters would not do: those of the test programs cannot be joined by "and".
pub(super) fn run(family: Family, tests: &[&str], passed_on: &[String]) -> Command {
    let mut command = cargo(family.programs());
    command.arg("--").args(options(passed_on)).arg("--exact").args(tests);
    command
}

/// Leaves the filters out, which have done their work in `list`.
fn options(passed_on: &[String]) -> Vec<&String> {
    let mut options = Vec::new();
    let mut words = passed_on.iter();
    while let Some(word) = words.next() {
        // May be given once only.
        if word.starts_with('-') && word != "--exact" {
            options.push(word);
            options.extend(WITH_VALUE.contains(&word.as_str()).then(|| words.next()).flatten());
        }
    }
    options
}

/// Returns how many tests passed and failed, by the last lines of so many test programs; `None` if not all got that far.
pub(super) fn counts(output: &str, programs: usize) -> Option<(u32, u32)> {
    let summaries: Vec<_> = output.lines().filter_map(|line| line.strip_prefix("test result: ")).collect();
    let number = |summary: &str, what: &str| {
        let part = summary.split(['.', ';']).find_map(|part| part.strip_suffix(what))?;
        part.trim().parse::<u32>().ok()
    };
    let sum = |what: &str| summaries.iter().map(|summary| number(summary, what)).sum::<Option<u32>>();
    if summaries.len() == programs { Some((sum(" passed")?, sum(" failed")?)) } else { None }
}

/// Returns the names of the tests that failed.
pub(super) fn failed(output: &str) -> Vec<&str> {
    let tests = output.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    tests.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn each_family_has_its_own_tests() {
        let output = "layering::a: test\nmysql::pick::b: test\npostgres::mysql::c: test\nmysql::d: benchmark\n";
        assert_eq!(listed(output, Family::Mysql), ["mysql::pick::b"]);
        assert_eq!(listed(output, Family::Postgres), ["postgres::mysql::c"]);
    }

    #[test]
    fn tests_are_run_by_name_with_the_options_and_without_the_filters() {
        let passed_on = words(&["pick", "--skip", "slow", "--exact", "claim", "--test-threads=1", "--nocapture"]);
        let command = run(Family::Mysql, &["mysql::a", "mysql::b"], &passed_on);
        let programs = ["--test", "suite", "--test", "faults", "--test", "attack"];
        let arguments: Vec<_> = command.get_args().skip(CARGO_TEST.len()).collect();
        assert_eq!(arguments[..programs.len()], programs);
        let arguments = &arguments[programs.len()..];
        let options = ["--", "--skip", "slow", "--test-threads=1", "--nocapture"];
        assert_eq!(arguments, [&options[..], &["--exact", "mysql::a", "mysql::b"]].concat());
    }

    #[test]
    fn the_version_is_what_the_test_printed() {
        let output = "running 1 test\ntest mysql::version::the_server_tells_it ... version: 9.7.0\nok\n";
        assert_eq!(told_version(output), Some("9.7.0"));
        assert_eq!(told_version("version: 15.14 (Debian)\n"), Some("15.14 (Debian)"));
        assert_eq!(told_version("cannot connect"), None);
    }

    #[test]
    fn the_summaries_are_counted_together() {
        let output = "test a ... ok\ntest b ... FAILED\n\nfailures:\n    b\n\n\
                      test result: FAILED. 11 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 1.02s\n";
        assert_eq!((counts(output, 1), failed(output)), (Some((11, 1)), vec!["b"]));
        assert_eq!(counts(&output.repeat(3), 3), Some((33, 3)));
        // One of two programs broke off.
        assert_eq!(counts(&format!("test a ... ok\nSegmentation fault\n{output}"), 2), None);
    }
}
