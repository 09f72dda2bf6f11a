//! One server: launched, waited for, started again if it may be crashed.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::Signal;

use super::{cluster, settings, settings::Purpose};
use crate::process::{Ending, Group, last_lines};
use crate::server::{account::Account, free_port};
use crate::supervisor::Supervisor;

/// SIGINT is a fast shutdown (sessions are cut off, data is written), SIGQUIT one without writing.
/// <https://www.postgresql.org/docs/current/server-shutdown.html>
const ENDING: Ending = &[
    (Signal::INT, Duration::from_secs(8)),
    (Signal::QUIT, Duration::from_secs(3)),
    (Signal::KILL, Duration::from_secs(2)),
];

/// Between the choice of a free port and its use another program may take it.
const ATTEMPTS: u32 = 5;

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The shortest time between two launches of a server that does not stay up.
const PAUSE: Duration = Duration::from_millis(200);

/// A running server, stopped on drop.
#[derive(Debug)]
pub(super) struct Server<'s> {
    supervisor: &'s Supervisor,
    account: Account,
    program: PathBuf,
    purpose: Purpose,
    data: PathBuf,
    log: PathBuf,
    port: u16,
    launched: Instant,
    /// `None` between two lives.
    group: Option<Group<'s>>,
}

impl<'s> Server<'s> {
    /// Starts `program`, and does not wait until it is ready.
    pub(super) fn launch(
        supervisor: &'s Supervisor,
        account: Account,
        program: PathBuf,
        purpose: Purpose,
        data: PathBuf,
    ) -> anyhow::Result<Self> {
        let log = supervisor.scratch().join(purpose.name()).with_extension("log");
        let (port, launched) = (free_port()?, Instant::now());
        let mut server = Self { supervisor, account, program, purpose, data, log, port, launched, group: None };
        server.start()?;
        Ok(server)
    }

    fn start(&mut self) -> anyhow::Result<()> {
        let sockets = self.supervisor.scratch();
        let log = File::options().append(true).create(true).open(&self.log);
        let log = log.context("cannot write the log of the server")?;
        let mut command = self.account.command(&self.program, sockets);
        command.args(settings::server_arguments(&self.data, sockets, self.port, self.purpose));
        command.envs(self.purpose.language().map(|language| ("LANGUAGE", language)));
        command.stdout(log.try_clone()?).stderr(log);
        self.launched = Instant::now();
        self.group = Some(self.supervisor.spawn(&mut command, ENDING)?);
        Ok(())
    }

    pub(super) fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let mut attempt = 1;
        loop {
            self.supervisor.interrupt().check()?;
            if self.is_ready()? {
                return Ok(());
            }
            if self.ended()?.is_some() {
                // Most likely the port was taken; if it is something else, the last attempt says so.
                if attempt == ATTEMPTS {
                    bail!("PostgreSQL did not start:\n{}", self.last_words()?);
                }
                attempt += 1;
                self.port = free_port()?;
                self.start()?;
            }
            if self.launched.elapsed() > START_TIMEOUT {
                bail!("PostgreSQL did not start within {START_TIMEOUT:?}:\n{}", self.last_words()?);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts the server again, on its port and its data, if a test has made an end of it. To be called again and
    /// again.
    ///
    /// A killed backend is the postmaster's business: it restarts the others itself. But when the postmaster is told
    /// to shut down (`kill -QUIT`, the immediate shutdown, or any other signal), the whole server is gone, and only
    /// here is somebody to bring it back. That may take several launches: until the last backend of a killed
    /// postmaster is gone, its data are refused to the next, and the port may be busy for a moment.
    pub(super) fn revive(&mut self) -> anyhow::Result<()> {
        if self.purpose == Purpose::Crash && self.ended()?.is_some() {
            // Lets go at once: the group's id may be given away.
            self.group = None;
        }
        if self.group.is_none() && self.launched.elapsed() > PAUSE {
            self.start()?;
        }
        Ok(())
    }

    /// Fails if the server has ended by itself, unless it will be revived.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        match self.ended()? {
            Some(status) if self.purpose != Purpose::Crash => {
                bail!("PostgreSQL has ended ({status}):\n{}", self.last_words()?)
            }
            _ => Ok(()),
        }
    }

    /// Tells whether the server was to speak another language and does not: its message catalogues are missing then.
    pub(super) fn lacks_its_language(&self) -> bool {
        let in_english =
            || fs::read_to_string(&self.log).is_ok_and(|text| text.contains("ready to accept connections"));
        self.purpose.language().is_some() && in_english()
    }

    /// Tells the server to end, so that several end at the same time; drop waits for it.
    pub(super) fn begin_to_end(&self) {
        if let Some(group) = &self.group {
            group.begin_to_end();
        }
    }

    pub(super) fn purpose(&self) -> Purpose {
        self.purpose
    }

    pub(super) fn url(&self) -> String {
        settings::url(self.port)
    }

    pub(super) fn log(&self) -> &std::path::Path {
        &self.log
    }

    fn is_ready(&self) -> anyhow::Result<bool> {
        // The file of a postmaster that was killed is still there.
        let ready = cluster::ready_postmaster(&self.data)?;
        Ok(ready.is_some_and(|pid| self.group.as_ref().is_some_and(|group| group.id().as_raw_pid() == pid)))
    }

    fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.group.as_mut().map_or(Ok(None), Group::try_wait)
    }

    fn last_words(&self) -> anyhow::Result<String> {
        Ok(last_lines(File::open(&self.log)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, kill_process};
    use std::process::Command;

    /// Says that it is ready, as a postmaster does, and does nothing else. It is called `sh postgres -D <data> ..`.
    const PRETENDER: &str = r#"#!/bin/sh
    printf '%s\n' "$$" 2 3 4 5 6 7 'ready ' >"$2/new" && mv "$2/new" "$2/postmaster.pid" && exec sleep 60
    "#;

    fn pretender(supervisor: &Supervisor, purpose: Purpose) -> anyhow::Result<Server<'_>> {
        let program = supervisor.scratch().join("pretender");
        // Written by another process: a file that this one had open for writing might not be executable yet.
        let script = r#"printf '%s' "$1" >"$2" && chmod +x "$2""#;
        let mut command = Command::new("sh");
        assert!(command.args(["-c", script, "sh", PRETENDER]).arg(&program).status()?.success());
        let data = supervisor.scratch().join("data");
        fs::create_dir(&data)?;
        let mut server = Server::launch(supervisor, Account::Ourselves, program, purpose, data)?;
        server.wait_until_ready()?;
        Ok(server)
    }

    fn postmaster(server: &Server<'_>) -> Option<Pid> {
        server.group.as_ref().map(Group::id)
    }

    fn kill(server: &mut Server<'_>) -> anyhow::Result<()> {
        kill_process(postmaster(server).context("it runs")?, Signal::KILL)?;
        while server.ended()?.is_none() {
            std::thread::yield_now();
        }
        Ok(())
    }

    #[test]
    fn the_server_that_may_be_crashed_comes_back_where_it_was() -> anyhow::Result<()> {
        let supervisor = Supervisor::new()?;
        let mut server = pretender(&supervisor, Purpose::Crash)?;
        let (url, first) = (server.url(), postmaster(&server));
        server.revive()?;
        assert_eq!(postmaster(&server), first, "it has not ended");

        kill(&mut server)?;
        server.check()?;
        while server.group.is_none() || postmaster(&server) == first {
            server.revive()?;
        }
        server.wait_until_ready()?;
        let ready = cluster::ready_postmaster(&server.data)?;
        assert_eq!(ready, postmaster(&server).map(Pid::as_raw_pid), "the file of the dead one does not count");
        assert_eq!(server.url(), url);
        Ok(())
    }

    #[test]
    fn every_other_server_stays_down() -> anyhow::Result<()> {
        let supervisor = Supervisor::new()?;
        let mut server = pretender(&supervisor, Purpose::German)?;
        server.check()?;
        kill(&mut server)?;
        server.launched -= 2 * PAUSE;
        server.revive()?;
        assert!(server.check().is_err());
        Ok(())
    }

    #[test]
    fn a_server_that_does_not_start_says_why() -> anyhow::Result<()> {
        let supervisor = Supervisor::new()?;
        let data = supervisor.scratch().join("data");
        let mut server = Server::launch(&supervisor, Account::Ourselves, "ls".into(), Purpose::Tests, data)?;
        let text = server.wait_until_ready().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.starts_with("PostgreSQL did not start:\nls: "), "{text}");
        Ok(())
    }
}
