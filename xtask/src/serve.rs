//! `cargo xtask serve`: a server to use from another shell, until Ctrl-C.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::PostgresOptions;
use crate::console::say;
use crate::install;
use crate::server::postgres::{Purpose, Server};
use crate::supervisor::Supervisor;

pub(crate) fn run(options: &PostgresOptions) -> anyhow::Result<ExitCode> {
    let supervisor = Supervisor::new()?;
    let tools = install::ensure(&supervisor, options, &[install::Need::Server])?;
    let mut server = Server::start(&supervisor, &tools, Purpose::Tests)?;
    // On standard output, and nothing else there, so that a script can read it.
    writeln!(std::io::stdout(), "export PG_DATABASE_URL={}", server.url())?;
    say("paste that line into another shell; Ctrl-C here stops the server");
    // To be interrupted is how this command is meant to end, so it is no error.
    while supervisor.interrupt().check().is_ok() {
        server.check()?;
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(ExitCode::SUCCESS)
}
