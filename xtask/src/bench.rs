//! `cargo xtask bench`: programs that measure and count. Each has options of its own, and writes its section of `benches/RESULTS.md`.

use std::process::ExitCode;

use crate::cli::{BenchOptions, Which};
use crate::install::Need;
use crate::server::{Databases, Wanted};
use crate::supervisor::Supervisor;
use crate::workspace;

/// A bench: the program as `cargo run` takes it, what it needs, its servers, and whether these have their data in memory and otherwise the
/// settings of real ones.
type Bench = (&'static str, &'static [Need], Wanted, bool);

const PICK: Bench = (
    "--release --package diesel_lockset --features postgres --example bench_pick",
    // Linked like the tests, against both client libraries; so are the next two.
    &[Need::Pgbench, Need::Libpq, Need::Libmariadb],
    Wanted::DEMO,
    true,
);
const TRIPS: Bench = (
    "--package diesel_lockset --features postgres,mysql,async --example bench_trips",
    &[Need::Libpq, Need::Libmariadb],
    Wanted::BOTH,
    false,
);
const WORK: Bench =
    ("--release --package bench_work", &[Need::Valgrind, Need::Libpq, Need::Libmariadb], Wanted::BOTH, false);
/// Outside the workspace, so that nothing else builds the rivals.
const RIVALS: Bench =
    ("--release --manifest-path benches/rivals/Cargo.toml", &[Need::Pgbench, Need::Libpq], Wanted::DEMO, true);

pub(crate) fn run(options: &BenchOptions) -> anyhow::Result<ExitCode> {
    let (program, needs, wanted, in_memory) = match options.which {
        Which::Pick => PICK,
        Which::Trips => TRIPS,
        Which::Work => WORK,
        Which::Rivals => RIVALS,
    };
    let supervisor = if in_memory { Supervisor::in_memory()? } else { Supervisor::new()? };
    let databases = Databases::open(&supervisor, &options.servers, needs, &wanted)?;
    let mut command = workspace::cargo(&["run"]);
    command.args(program.split(' ')).arg("--").args(&options.passed_on);
    databases.run(&supervisor, command)
}
