//! `cargo xtask serve`: the servers of the test suite, to use from another shell, until Ctrl-C.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::PostgresOptions;
use crate::console::say;
use crate::install;
use crate::server::postgres::{Purpose, Servers};
use crate::supervisor::Supervisor;

pub(crate) fn run(options: &PostgresOptions) -> anyhow::Result<ExitCode> {
    let supervisor = Supervisor::new()?;
    let tools = install::ensure(&supervisor, options, &[install::Need::Server])?;
    let mut servers = Servers::start(&supervisor, &tools, &Purpose::SUITE)?;
    // On standard output, and nothing else there, so that a script can read it.
    for (variable, url) in servers.variables() {
        writeln!(std::io::stdout(), "export {variable}={url}")?;
    }
    say("paste these lines into another shell; Ctrl-C here stops the servers");
    // To be interrupted is how this command is meant to end, so it is no error.
    while supervisor.interrupt().check().is_ok() {
        servers.check()?;
        servers.revive()?;
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(ExitCode::SUCCESS)
}
