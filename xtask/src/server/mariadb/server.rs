//! The server: made, launched, waited for.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::Signal;

use super::tools::{Programs, Tools};
use super::{VARIABLE, data, settings, settings::Purpose};
use crate::console::{Step, say};
use crate::process::{Ending, Group, last_lines};
use crate::server::{account::Account, free_port, keep_log};
use crate::supervisor::Supervisor;

/// SIGTERM is a shutdown in good order. SIGINT, which PostgreSQL gets first, means nothing to this server.
const ENDING: Ending = &[(Signal::TERM, Duration::from_secs(8)), (Signal::KILL, Duration::from_secs(2))];

/// Between the choice of a free port and its use another program may take it.
const ATTEMPTS: u32 = 5;

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A running server, stopped on drop.
#[derive(Debug)]
pub(crate) struct Server<'s> {
    group: Group<'s>,
    port: u16,
    log: PathBuf,
}

impl<'s> Server<'s> {
    /// Makes and starts a server, and returns when it is ready.
    pub(crate) fn start(supervisor: &'s Supervisor, tools: &Tools, purpose: Purpose) -> anyhow::Result<Self> {
        let programs = tools.programs()?;
        let what = version(&programs.server);
        let step = Step::begin(format_args!("starting {what}"));
        let account = Account::for_servers()?;
        account.own(supervisor.scratch())?;

        let data = data::make(supervisor, account, &programs)?;
        let server = Self::launch(supervisor, account, &programs, &data, purpose)?;
        step.done(format_args!("{what}: ready on 127.0.0.1"));
        Ok(server)
    }

    fn launch(
        supervisor: &'s Supervisor,
        account: Account,
        programs: &Programs,
        data: &Path,
        purpose: Purpose,
    ) -> anyhow::Result<Self> {
        let (scratch, begun) = (supervisor.scratch(), Instant::now());
        let log = scratch.join("mariadb.log");
        let mut attempt = 1;
        loop {
            let port = free_port()?;
            let output = new_log(account, &log).context("cannot write the log of the server")?;
            let mut command = account.command(&programs.server, scratch);
            command.args(settings::server_arguments(programs.server_folder(), data, scratch, &log, port, purpose));
            command.stdout(output.try_clone()?).stderr(output);
            let mut group = supervisor.spawn(&mut command, ENDING)?;
            let ended = loop {
                supervisor.interrupt().check()?;
                if let Some(status) = group.try_wait()? {
                    break status;
                }
                if data::says_that_it_is_ready(&log) {
                    return Ok(Self { group, port, log });
                }
                if begun.elapsed() > START_TIMEOUT {
                    bail!("MariaDB did not start within {START_TIMEOUT:?}:\n{}", last_words(&log)?);
                }
                std::thread::sleep(Duration::from_millis(20));
            };
            // Most likely the port was taken; if it is something else, the last attempt says so.
            if attempt == ATTEMPTS {
                bail!("MariaDB did not start ({ended}):\n{}", last_words(&log)?);
            }
            attempt += 1;
        }
    }

    /// Returns the variable to put the URL into, and the URL of the server with its superuser.
    pub(crate) fn variable(&self) -> (&'static str, String) {
        (VARIABLE, settings::url(self.port))
    }

    /// Fails if the server has ended by itself.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        let ended: Option<ExitStatus> = self.group.try_wait()?;
        match ended {
            Some(status) => bail!("MariaDB has ended ({status}):\n{}", last_words(&self.log)?),
            None => Ok(()),
        }
    }

    /// Copies the log to where it survives, and returns its new place.
    pub(crate) fn keep_log(&self) -> std::io::Result<PathBuf> {
        keep_log(&self.log)
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        self.group.end();
        say("MariaDB is stopped");
    }
}

/// Makes the log anew, since what an earlier attempt said does not count. The server writes it by itself as soon as it can,
/// and reads it for the tests, but only if everybody may.
fn new_log(account: Account, log: &Path) -> anyhow::Result<File> {
    let output = File::create(log)?;
    output.set_permissions(Permissions::from_mode(0o644))?;
    account.own(log)?;
    Ok(output)
}

fn last_words(log: &Path) -> anyhow::Result<String> {
    Ok(last_lines(File::open(log)?))
}

/// Returns "MariaDB 10.11.14" from the program's own words: `mariadbd  Ver 10.11.14-MariaDB-0+deb12u2 for ..`.
fn version(mariadbd: &Path) -> String {
    let output = Command::new(mariadbd).args(["--no-defaults", "--version"]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let number = text.split_whitespace().skip_while(|word| *word != "Ver").nth(1);
    let number = number.and_then(|number| number.split('-').next());
    number.map_or_else(|| "MariaDB".to_owned(), |number| format!("MariaDB {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Programs made of shell. Written by another process: a file that this one had open for writing might not be
    /// executable yet.
    fn pretender(supervisor: &Supervisor, script: &str) -> anyhow::Result<Programs> {
        let server = supervisor.scratch().join("pretender");
        let write = r#"printf '#!/bin/sh\n%s\n' "$1" >"$2" && chmod +x "$2""#;
        let mut command = Command::new("sh");
        assert!(command.args(["-c", write, "sh", script]).arg(&server).status()?.success());
        Ok(Programs { install: server.clone(), server })
    }

    fn launch<'s>(supervisor: &'s Supervisor, script: &str) -> anyhow::Result<Server<'s>> {
        let programs = pretender(supervisor, script)?;
        Server::launch(supervisor, Account::Ourselves, &programs, &supervisor.scratch().join("data"), Purpose::Tests)
    }

    #[test]
    fn a_server_that_ends_by_itself_is_noticed() -> anyhow::Result<()> {
        let supervisor = Supervisor::new()?;
        let mut server = launch(&supervisor, "echo 'mariadbd: ready for connections.'; exec sleep 60")?;
        server.check()?;
        rustix::process::kill_process(server.group.id(), Signal::KILL)?;
        while server.group.try_wait()?.is_none() {
            std::thread::yield_now();
        }
        let text = server.check().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.starts_with("MariaDB has ended (signal: 9"), "{text}");
        Ok(())
    }

    #[test]
    fn a_port_that_is_taken_is_no_reason_to_give_up() -> anyhow::Result<()> {
        let supervisor = Supervisor::new()?;
        let script =
            "test -e again || { : >again; echo taken; exit 1; }\necho 'x: ready for connections.'; exec sleep 60";
        launch(&supervisor, script)?.check()
    }

    #[test]
    fn a_server_that_does_not_start_says_why() -> anyhow::Result<()> {
        let supervisor = Supervisor::new()?;
        let text =
            launch(&supervisor, "echo oh no >&2; exit 3").err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(text, "MariaDB did not start (exit status: 3):\noh no");
        Ok(())
    }
}
