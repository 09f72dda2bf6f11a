//! The data folders of the servers: one is made by `initdb`, the others are copies of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::process::Pid;

use super::settings;
use crate::process::AT_ONCE;
use crate::server::{account::Account, servers};
use crate::supervisor::Supervisor;

/// Makes a data folder for each server.
pub(super) fn make(
    supervisor: &Supervisor,
    account: Account,
    initdb: &Path,
    folders: &[PathBuf],
) -> anyhow::Result<()> {
    servers::fill(supervisor, account, folders, |data| init(supervisor, account, initdb, data))
}

fn init(supervisor: &Supervisor, account: Account, initdb: &Path, data: &Path) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    for locale in settings::LOCALES {
        let mut command = account.command(initdb, supervisor.scratch());
        command.args(settings::initdb_arguments(data, locale));
        outcome = supervisor.run_quietly(&mut command, AT_ONCE);
        if outcome.is_ok() {
            break;
        }
        // Most likely the locale is missing; if it is something else, the last attempt says so.
        supervisor.interrupt().check()?;
    }
    outcome
}

/// Tells whether the postmaster accepts connections, by the first and the eighth line of its lock file, as `pg_ctl` does. The
/// file of a postmaster that was killed is still there.
pub(super) fn is_ready(data: &Path, postmaster: Pid) -> anyhow::Result<bool> {
    let text = match fs::read_to_string(data.join("postmaster.pid")) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).context("cannot read the lock file of the server"),
    };
    let mut lines = text.lines().map(str::trim);
    let pid = lines.next().and_then(|line| line.parse().ok());
    Ok(pid == Some(postmaster.as_raw_pid()) && lines.nth(6) == Some("ready"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postmaster_is_ready_when_its_eighth_line_says_so() -> anyhow::Result<()> {
        let (data, postmaster) = (tempfile::tempdir()?, Pid::from_raw(42).context("a number")?);
        assert!(!is_ready(data.path(), postmaster)?, "no file yet");
        for (text, expected) in [
            ("", false),
            ("42\n/d\n1\n5433\n/s\n127.0.0.1\n1 2\n", false),
            ("42\n/d\n1\n5433\n/s\n127.0.0.1\n1 2\nstarting\n", false),
            ("42\n/d\n1\n5433\n/s\n127.0.0.1\n1 2\nready   \n", true),
            ("41\n/d\n1\n5433\n/s\n127.0.0.1\n1 2\nready   \n", false),
        ] {
            fs::write(data.path().join("postmaster.pid"), text)?;
            assert_eq!(is_ready(data.path(), postmaster)?, expected, "{text}");
        }
        Ok(())
    }
}
