//! `cargo xtask bench`: programs that measure and count. Each has options of its own, and writes its section of `benches/RESULTS.md`.

use std::process::ExitCode;

use crate::cli::{BenchOptions, Which};
use crate::install::Need;
use crate::server::{Databases, Wanted};
use crate::supervisor::Supervisor;
use crate::workspace;

/// A bench: the program as `cargo run` takes it, what it needs besides a client library, its servers, and whether these have their data in
/// memory and otherwise the settings of real ones.
type Bench = (&'static str, &'static [Need], Wanted, bool);

const PICK: Bench = (
    "--release --package diesel_lockset --features postgres --example bench_pick",
    &[Need::Pgbench],
    Wanted::DEMO,
    true,
);
const TRIPS: Bench =
    ("--package diesel_lockset --features postgres,mysql --example bench_trips", &[], Wanted::BOTH, false);
const WORK: Bench = ("--release --package bench_work", &[Need::Valgrind], Wanted::BOTH, false);

pub(crate) fn run(options: &BenchOptions) -> anyhow::Result<ExitCode> {
    let (program, needs, wanted, in_memory) = match options.which {
        Which::Pick => PICK,
        Which::Trips => TRIPS,
        Which::Work => WORK,
    };
    let supervisor = if in_memory { Supervisor::in_memory()? } else { Supervisor::new()? };
    // Linked like the tests, against both client libraries.
    let needs = [needs, &[Need::Libpq, Need::Libmariadb]].concat();
    let databases = Databases::open(&supervisor, &options.servers, &needs, &wanted)?;
    let mut command = workspace::cargo(&["run"]);
    command.args(program.split(' ')).arg("--").args(&options.passed_on);
    databases.run(&supervisor, command)
}
