//! One server of any kind: launched, waited for, started again if it may be crashed.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::Pid;

use super::free_port;
use crate::process::{Ending, Group, last_lines};
use crate::supervisor::Supervisor;

/// What tells a kind of server from others, and one server of a kind from the next.
pub(crate) trait Kind: fmt::Debug {
    /// What people call it.
    const NAME: &'static str;

    const ENDING: Ending;

    /// Returns what runs the server on `port`.
    fn command(&self, port: u16) -> Command;

    /// Opens the log for what the server says from here on.
    fn open_log(&self) -> anyhow::Result<File>;

    fn log(&self) -> &Path;

    /// Tells whether the server that runs as `process` accepts connections. To try one would say less: it succeeds also if
    /// the port belongs to somebody else.
    fn is_ready(&self, process: Pid) -> anyhow::Result<bool>;

    /// Tells whether tests crash it.
    fn may_be_crashed(&self) -> bool;

    /// Returns the variable that names such a server.
    fn variable(&self) -> &'static str;

    /// Returns how its superuser reaches it.
    fn url(&self, port: u16) -> String;
}

/// Between the choice of a free port and its use another program may take it.
const ATTEMPTS: u32 = 5;

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The shortest time between two launches of a server that does not stay up.
const PAUSE: Duration = Duration::from_millis(200);

/// A running server, stopped on drop.
#[derive(Debug)]
pub(super) struct Server<'s, K: Kind> {
    supervisor: &'s Supervisor,
    pub(super) kind: K,
    port: u16,
    launched: Instant,
    /// `None` between two lives.
    group: Option<Group<'s>>,
}

impl<'s, K: Kind> Server<'s, K> {
    /// Starts the server, and does not wait until it is ready.
    pub(super) fn launch(supervisor: &'s Supervisor, kind: K) -> anyhow::Result<Self> {
        let (port, launched) = (free_port()?, Instant::now());
        let mut server = Self { supervisor, kind, port, launched, group: None };
        server.start()?;
        Ok(server)
    }

    fn start(&mut self) -> anyhow::Result<()> {
        let log = self.kind.open_log().context("cannot write the log of the server")?;
        let mut command = self.kind.command(self.port);
        command.stdout(log.try_clone()?).stderr(log);
        self.launched = Instant::now();
        self.group = Some(self.supervisor.spawn(&mut command, K::ENDING)?);
        Ok(())
    }

    pub(super) fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let mut attempt = 1;
        loop {
            self.supervisor.interrupt().check()?;
            if let Some(status) = self.ended()? {
                // Most likely the port was taken; if it is something else, the last attempt says so.
                if attempt == ATTEMPTS {
                    bail!("{} did not start ({status}):\n{}", K::NAME, self.last_words()?);
                }
                attempt += 1;
                self.port = free_port()?;
                self.start()?;
            }
            if self.is_ready()? {
                return Ok(());
            }
            if self.launched.elapsed() > START_TIMEOUT {
                bail!("{} did not start within {START_TIMEOUT:?}:\n{}", K::NAME, self.last_words()?);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts the server again, on its port and its data, if a test has made an end of it. To be called again and again.
    ///
    /// That may take several launches: until the last process of a killed server is gone, its data are refused to the next,
    /// and the port may be busy for a moment.
    pub(super) fn revive(&mut self) -> anyhow::Result<()> {
        if self.kind.may_be_crashed() && self.ended()?.is_some() {
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
            Some(status) if !self.kind.may_be_crashed() => {
                bail!("{} has ended ({status}):\n{}", K::NAME, self.last_words()?)
            }
            _ => Ok(()),
        }
    }

    /// Tells the server to end, so that several end at the same time; drop waits for it.
    pub(super) fn begin_to_end(&self) {
        if let Some(group) = &self.group {
            group.begin_to_end();
        }
    }

    pub(super) fn url(&self) -> String {
        self.kind.url(self.port)
    }

    fn is_ready(&self) -> anyhow::Result<bool> {
        self.group.as_ref().map_or(Ok(false), |group| self.kind.is_ready(group.id()))
    }

    fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.group.as_mut().map_or(Ok(None), Group::try_wait)
    }

    fn last_words(&self) -> anyhow::Result<String> {
        Ok(last_lines(File::open(self.kind.log())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::AT_ONCE;
    use rustix::process::{Signal, kill_process};
    use std::fs;
    use std::path::PathBuf;

    /// A server made of shell.
    #[derive(Debug)]
    struct Pretender {
        script: &'static str,
        folder: PathBuf,
        log: PathBuf,
        may_be_crashed: bool,
    }

    /// Writes its number down when it is ready.
    const READY: &str = "echo $$ >new; mv new ready; exec sleep 60";

    impl Kind for Pretender {
        const NAME: &'static str = "Pretender";
        const ENDING: Ending = AT_ONCE;

        fn command(&self, port: u16) -> Command {
            let mut command = Command::new("sh");
            command.current_dir(&self.folder).args(["-c", self.script, "sh"]).arg(port.to_string());
            command
        }

        fn open_log(&self) -> anyhow::Result<File> {
            Ok(File::create(&self.log)?)
        }

        fn log(&self) -> &Path {
            &self.log
        }

        fn is_ready(&self, process: Pid) -> anyhow::Result<bool> {
            let ready = fs::read_to_string(self.folder.join("ready")).unwrap_or_default();
            Ok(ready.trim() == process.as_raw_pid().to_string())
        }

        fn may_be_crashed(&self) -> bool {
            self.may_be_crashed
        }

        fn variable(&self) -> &'static str {
            "PRETENDER"
        }

        fn url(&self, port: u16) -> String {
            format!("pretender://{port}")
        }
    }

    fn pretender<'s>(
        supervisor: &'s Supervisor,
        script: &'static str,
        may_be_crashed: bool,
    ) -> anyhow::Result<Server<'s, Pretender>> {
        let folder = supervisor.scratch().to_owned();
        let log = folder.join("log");
        Server::launch(supervisor, Pretender { script, folder, log, may_be_crashed })
    }

    fn process(server: &Server<'_, Pretender>) -> Option<Pid> {
        server.group.as_ref().map(Group::id)
    }

    fn kill(server: &mut Server<'_, Pretender>) -> anyhow::Result<()> {
        kill_process(process(server).context("it runs")?, Signal::KILL)?;
        while server.ended()?.is_none() {
            std::thread::yield_now();
        }
        Ok(())
    }

    fn said<T>(result: anyhow::Result<T>) -> String {
        result.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_server_that_may_be_crashed_comes_back_where_it_was() -> anyhow::Result<()> {
        let supervisor = Supervisor::new()?;
        let mut server = pretender(&supervisor, READY, true)?;
        server.wait_until_ready()?;
        let (url, first) = (server.url(), process(&server));
        server.revive()?;
        assert_eq!(process(&server), first, "it has not ended");

        kill(&mut server)?;
        server.check()?;
        while server.group.is_none() || process(&server) == first {
            server.revive()?;
        }
        server.wait_until_ready()?;
        assert_eq!(server.url(), url);
        Ok(())
    }

    #[test]
    fn every_other_server_stays_down() -> anyhow::Result<()> {
        let supervisor = Supervisor::new()?;
        let mut server = pretender(&supervisor, READY, false)?;
        server.wait_until_ready()?;
        server.check()?;
        kill(&mut server)?;
        server.launched -= 2 * PAUSE;
        server.revive()?;
        let text = said(server.check());
        assert!(text.starts_with("Pretender has ended (signal: 9"), "{text}");
        Ok(())
    }

    #[test]
    fn a_port_that_is_taken_is_no_reason_to_give_up() -> anyhow::Result<()> {
        let supervisor = Supervisor::new()?;
        let script = "test -e again || { : >again; echo taken; exit 1; }; echo $$ >new; mv new ready; exec sleep 60";
        let mut server = pretender(&supervisor, script, false)?;
        server.wait_until_ready()?;
        server.check()
    }

    #[test]
    fn a_server_that_does_not_start_says_why() -> anyhow::Result<()> {
        let supervisor = Supervisor::new()?;
        let mut server = pretender(&supervisor, "echo oh no >&2; exit 3", false)?;
        assert_eq!(said(server.wait_until_ready()), "Pretender did not start (exit status: 3):\noh no");
        Ok(())
    }
}
