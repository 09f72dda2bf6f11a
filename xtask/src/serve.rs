//! `cargo xtask serve`: the servers of the test suite, to use from another shell, until Ctrl-C.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::ServerOptions;
use crate::console::say;
use crate::install::{self, Need};
use crate::server::{mariadb, postgres};
use crate::supervisor::Supervisor;

pub(crate) fn run(options: &ServerOptions) -> anyhow::Result<ExitCode> {
    let supervisor = Supervisor::new()?;
    let tools = install::ensure(&supervisor, options, &[Need::Postgres, Need::Mariadb])?;
    let mut postgres = postgres::start(&supervisor, &tools.postgres, &postgres::Purpose::SUITE)?;
    let mut mariadb = mariadb::start(&supervisor, &tools.mariadb, &mariadb::Purpose::SUITE)?;
    // On standard output, and nothing else there, so that a script can read it.
    for (variable, url) in postgres.variables().chain(mariadb.variables()) {
        writeln!(std::io::stdout(), "export {variable}={url}")?;
    }
    say("paste these lines into another shell; Ctrl-C here stops the servers");
    // To be interrupted is how this command is meant to end, so it is no error.
    while supervisor.interrupt().check().is_ok() {
        postgres.check()?;
        mariadb.check()?;
        postgres.revive()?;
        mariadb.revive()?;
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(ExitCode::SUCCESS)
}
