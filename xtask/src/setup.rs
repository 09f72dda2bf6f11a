//! `cargo xtask install`: what the other commands would install when they need it, and nothing else.

use std::process::ExitCode;

use crate::cli::PostgresOptions;
use crate::console::say;
use crate::install::{self, Need};
use crate::supervisor::Supervisor;

pub(crate) fn run(options: &PostgresOptions) -> anyhow::Result<ExitCode> {
    let supervisor = Supervisor::new()?;
    install::ensure(&supervisor, options, &[Need::Libpq, Need::Server, Need::Pgbench])?;
    say("everything that the tests and the demo need is there");
    Ok(ExitCode::SUCCESS)
}
