//! A MariaDB among servers.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::{data, settings, settings::Purpose};
use crate::process::Ending;
use crate::server::account::Account;
use crate::server::running::Kind;

#[derive(Debug)]
pub(crate) struct Mariadb {
    pub(super) account: Account,
    pub(super) program: PathBuf,
    pub(super) purpose: Purpose,
    pub(super) scratch: PathBuf,
    pub(super) log: PathBuf,
}

impl Kind for Mariadb {
    const NAME: &'static str = "MariaDB";

    /// SIGTERM is a shutdown in good order. SIGINT, which PostgreSQL gets first, means nothing to this server.
    const ENDING: Ending = &[(Signal::TERM, Duration::from_secs(8)), (Signal::KILL, Duration::from_secs(2))];

    fn command(&self, port: u16) -> Command {
        let mut command = self.account.command(&self.program, &self.scratch);
        command.args(settings::server_arguments(&self.program, &self.scratch, port, self.purpose));
        command
    }

    /// Made anew, since what an earlier life said does not count. The server writes it by itself as soon as it can, and reads
    /// it for the tests, but only if everybody may.
    fn open_log(&self) -> anyhow::Result<File> {
        let output = File::create(&self.log)?;
        output.set_permissions(Permissions::from_mode(0o644))?;
        self.account.own(&self.log)?;
        Ok(output)
    }

    fn log(&self) -> &Path {
        &self.log
    }

    fn is_ready(&self, _: Pid) -> anyhow::Result<bool> {
        Ok(data::says_that_it_is_ready(&self.log))
    }

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
