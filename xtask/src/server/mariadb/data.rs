//! The data folders of the servers, made by `mariadb-install-db`.

use std::path::{Path, PathBuf};

use super::settings::{self, Purpose};
use super::tools::Programs;
use crate::process::AT_ONCE;
use crate::server::{account::Account, servers};
use crate::supervisor::Supervisor;

/// Makes data folders that have root without a password in them.
pub(super) fn make(
    supervisor: &Supervisor,
    account: Account,
    programs: &Programs,
    purposes: &[Purpose],
) -> anyhow::Result<()> {
    let scratch = supervisor.scratch();
    let folders: Vec<PathBuf> = purposes.iter().map(|purpose| purpose.file(scratch, "data")).collect();
    servers::fill(supervisor, account, &folders, |data| {
        let mut command = account.command(&programs.install, scratch);
        command.args(settings::install_arguments(&programs.server, data, scratch));
        supervisor.run_quietly(&mut command, AT_ONCE)
    })
}

/// Tells by its log whether a server accepts connections.
pub(super) fn says_that_it_is_ready(log: &Path) -> bool {
    std::fs::read(log).is_ok_and(|text| String::from_utf8_lossy(&text).contains(": ready for connections."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_ready_when_its_log_says_so() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("log");
        assert!(!says_that_it_is_ready(&log), "no log yet");
        for (text, expected) in [
            ("", false),
            ("2026-11-22 23:00:00 0 [Note] InnoDB: Buffer pool(s) load completed\n", false),
            ("2026-11-22 23:00:00 0 [Note] /usr/sbin/mariadbd: ready for connections.\nVersion: '10.11.14'\n", true),
        ] {
            std::fs::write(&log, text)?;
            assert_eq!(says_that_it_is_ready(&log), expected, "{text}");
        }
        Ok(())
    }
}
