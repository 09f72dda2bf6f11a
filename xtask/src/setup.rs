//! `cargo xtask install`: what the other commands would install when they need it, and nothing else.

use std::process::ExitCode;

use crate::cli::ServerOptions;
use crate::console::say;
use crate::install::{self, Need};
use crate::supervisor::Supervisor;

pub(crate) fn run(options: &ServerOptions) -> anyhow::Result<ExitCode> {
    let supervisor = Supervisor::new()?;
    install::ensure(
        &supervisor,
        options,
        &[Need::Libpq, Need::Postgres, Need::Pgbench, Need::Pgbouncer, Need::Libmariadb, Need::Mariadb],
    )?;
    say("everything that the tests and the demo need is there");
    Ok(ExitCode::SUCCESS)
}
