//! The data folder of the server, made by `mariadb-install-db`.

use std::path::{Path, PathBuf};

use super::settings;
use super::tools::Programs;
use crate::process::AT_ONCE;
use crate::server::account::Account;
use crate::supervisor::Supervisor;

/// Makes a data folder that has root without a password in it.
pub(super) fn make(supervisor: &Supervisor, account: Account, programs: &Programs) -> anyhow::Result<PathBuf> {
    let scratch = supervisor.scratch();
    let data = scratch.join("mariadb.data");
    let mut command = account.command(&programs.install, scratch);
    command.args(settings::install_arguments(programs.server_folder(), &data, scratch));
    supervisor.run_quietly(&mut command, AT_ONCE)?;
    Ok(data)
}

/// Tells by its log whether a server accepts connections. A connection attempt would say less: it succeeds also if the
/// port belongs to somebody else.
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
