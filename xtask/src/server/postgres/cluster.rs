//! The data folders of the servers: one is made by `initdb`, the others are copies of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::settings::{self, Purpose};
use crate::process::AT_ONCE;
use crate::server::account::Account;
use crate::supervisor::Supervisor;

/// Makes a data folder for each server. To copy one takes a fraction of the time that `initdb` takes, even if several
/// of those run side by side.
pub(super) fn make(
    supervisor: &Supervisor,
    account: Account,
    initdb: &Path,
    purposes: &[Purpose],
) -> anyhow::Result<Vec<PathBuf>> {
    let folders: Vec<PathBuf> =
        purposes.iter().map(|purpose| supervisor.scratch().join(purpose.name()).with_extension("data")).collect();
    let Some((first, others)) = folders.split_first() else {
        return Ok(folders);
    };
    init(supervisor, account, initdb, first)?;
    for other in others {
        // By a program, because only the server's user can make files that belong to it.
        let mut command = account.command(Path::new("cp"), supervisor.scratch());
        supervisor.run_quietly(command.arg("-R").args([first, other]), AT_ONCE)?;
    }
    Ok(folders)
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

/// Returns the postmaster that accepts connections, by the first and the eighth line of its lock file, as `pg_ctl`
/// does.
///
/// A connection attempt would say less: it succeeds while the server still starts up, and also if the port belongs
/// to somebody else.
pub(super) fn ready_postmaster(data: &Path) -> anyhow::Result<Option<i32>> {
    let text = match fs::read_to_string(data.join("postmaster.pid")) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("cannot read the lock file of the server"),
    };
    let mut lines = text.lines().map(str::trim);
    let pid = lines.next().and_then(|line| line.parse().ok());
    Ok(pid.filter(|_| lines.nth(6) == Some("ready")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postmaster_is_ready_when_its_eighth_line_says_so() -> anyhow::Result<()> {
        let data = tempfile::tempdir()?;
        assert_eq!(ready_postmaster(data.path())?, None, "no file yet");
        for (text, expected) in [
            ("", None),
            ("42\n/d\n1\n5433\n/s\n127.0.0.1\n1 2\n", None),
            ("42\n/d\n1\n5433\n/s\n127.0.0.1\n1 2\nstarting\n", None),
            ("42\n/d\n1\n5433\n/s\n127.0.0.1\n1 2\nready   \n", Some(42)),
        ] {
            fs::write(data.path().join("postmaster.pid"), text)?;
            assert_eq!(ready_postmaster(data.path())?, expected, "{text}");
        }
        Ok(())
    }
}
