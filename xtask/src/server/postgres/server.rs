//! A PostgreSQL among servers.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::{cluster, settings, settings::Purpose};
use crate::process::Ending;
use crate::server::account::Account;
use crate::server::running::Kind;

#[derive(Debug)]
pub(crate) struct Postgres {
    pub(super) account: Account,
    pub(super) program: PathBuf,
    pub(super) purpose: Purpose,
    pub(super) sockets: PathBuf,
    pub(super) data: PathBuf,
    pub(super) log: PathBuf,
}

impl Postgres {
    /// Tells whether the server was to speak another language and does not: its message catalogues are missing then.
    pub(super) fn lacks_its_language(&self) -> bool {
        let in_english =
            || fs::read_to_string(&self.log).is_ok_and(|text| text.contains("ready to accept connections"));
        self.purpose.language().is_some() && in_english()
    }
}

impl Kind for Postgres {
    const NAME: &'static str = "PostgreSQL";

    /// SIGINT is a fast shutdown (sessions are cut off, data is written), SIGQUIT one without writing.
    /// <https://www.postgresql.org/docs/current/server-shutdown.html>
    const ENDING: Ending = &[
        (Signal::INT, Duration::from_secs(8)),
        (Signal::QUIT, Duration::from_secs(3)),
        (Signal::KILL, Duration::from_secs(2)),
    ];

    fn command(&self, port: u16) -> Command {
        let mut command = self.account.command(&self.program, &self.sockets);
        command.args(settings::server_arguments(&self.data, &self.sockets, port, self.purpose));
        command.envs(self.purpose.language().map(|language| ("LANGUAGE", language)));
        command
    }

    fn open_log(&self) -> anyhow::Result<File> {
        Ok(File::options().append(true).create(true).open(&self.log)?)
    }

    fn log(&self) -> &Path {
        &self.log
    }

    fn is_ready(&self, process: Pid) -> anyhow::Result<bool> {
        cluster::is_ready(&self.data, process)
    }

    /// A killed backend is the postmaster's business: it restarts the others itself. But when the postmaster is told to shut
    /// down (`kill -QUIT`, the immediate shutdown, or any other signal), the whole server is gone.
    fn may_be_crashed(&self) -> bool {
        self.purpose == Purpose::Crash
    }

    fn variable(&self) -> &'static str {
        self.purpose.variable()
    }

    fn url(&self, port: u16) -> String {
        settings::url(port)
    }
}
