//! What the throw-away server is told: plain arguments, no IO.

use std::ffi::OsString;
use std::path::Path;

/// Made by `mariadb-install-db`, without a password.
const USER: &str = "root";

/// There in every server. No test keeps anything in it.
const DATABASE: &str = "mysql";

/// What the server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Fast, and tells of deadlocks.
    Tests,
    /// As durable as a real server, because transfers per second are printed.
    Demo,
}

const ALWAYS: &[&str] = &[
    "--bind-address=127.0.0.1",
    // Else the user that was made for `localhost` would not be found for 127.0.0.1.
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",
    "--max-connections=300",
    "--innodb-buffer-pool-size=64M",
    "--skip-log-bin",
    "--innodb-fast-shutdown=2",
];

const FOR_TESTS: &[&str] = &[
    // Fast: nothing has to survive a power cut.
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    // Loosely: a version that has lost these is slower, that is all.
    "--loose-innodb-flush-method=nosync",
    "--loose-innodb-file-per-table=OFF",
    "--loose-sync-frm=OFF",
    "--sync-binlog=0",
    // The tests count the deadlocks of a database in the log, which they read through the server.
    "--innodb-print-all-deadlocks=ON",
    "--secure-file-priv=",
    "--max-allowed-packet=1G",
];

impl Purpose {
    fn settings(self) -> Vec<&'static [&'static str]> {
        match self {
            Self::Tests => vec![ALWAYS, FOR_TESTS],
            Self::Demo => vec![ALWAYS],
        }
    }
}

/// Returns the arguments of `mariadb-install-db`. `programs` is the folder of the server's.
pub(super) fn install_arguments(programs: &Path, data: &Path, scratch: &Path) -> Vec<OsString> {
    // First: else the machine's own configuration counts.
    let mut arguments: Vec<OsString> = vec!["--no-defaults".into()];
    arguments.extend(base(programs));
    arguments.push(option("--datadir=", data));
    arguments.push(option("--tmpdir=", scratch));
    // The default lets root in through the Unix socket only.
    let others = ["--auth-root-authentication-method=normal", "--skip-name-resolve", "--skip-test-db"];
    arguments.extend(others.map(OsString::from));
    arguments
}

/// Returns the arguments of `mariadbd`; its Unix socket and its temporary files go to the folder `scratch`.
pub(super) fn server_arguments(
    programs: &Path,
    data: &Path,
    scratch: &Path,
    log: &Path,
    port: u16,
    purpose: Purpose,
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["--no-defaults".into()];
    arguments.extend(base(programs));
    arguments.push(option("--datadir=", data));
    arguments.push(option("--tmpdir=", scratch));
    arguments.push(option("--socket=", &scratch.join("mariadb.sock")));
    arguments.push(option("--pid-file=", &scratch.join("mariadb.pid")));
    arguments.push(option("--log-error=", log));
    arguments.push(format!("--port={port}").into());
    arguments.extend(purpose.settings().concat().into_iter().map(OsString::from));
    arguments
}

/// Returns how to reach the server.
pub(super) fn url(port: u16) -> String {
    format!("mysql://{USER}@127.0.0.1:{port}/{DATABASE}")
}

/// An installation that was moved does not know where its files are: above the folder of its programs.
fn base(programs: &Path) -> Option<OsString> {
    programs.parent().map(|base| option("--basedir=", base))
}

fn option(name: &str, value: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(value);
    option
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(arguments: Vec<OsString>) -> String {
        arguments.join(OsString::from(" ").as_os_str()).into_string().expect("plain text")
    }

    #[test]
    fn nothing_of_the_machines_own_configuration_counts() {
        let folders = (Path::new("/usr/sbin"), Path::new("/d"), Path::new("/s"));
        let server = text(server_arguments(folders.0, folders.1, folders.2, Path::new("/l"), 3307, Purpose::Demo));
        let beginning = "--no-defaults --basedir=/usr --datadir=/d --tmpdir=/s --socket=/s/mariadb.sock \
                         --pid-file=/s/mariadb.pid --log-error=/l --port=3307 --bind-address=127.0.0.1 ";
        assert!(server.starts_with(beginning), "{server}");
        let install = text(install_arguments(folders.0, folders.1, folders.2));
        assert!(install.starts_with("--no-defaults --basedir=/usr --datadir=/d --tmpdir=/s "), "{install}");
    }

    #[test]
    fn what_the_demo_measures_is_written_to_disk() {
        let flush = |purpose: Purpose| purpose.settings().concat().iter().any(|setting| setting.contains("flush-log"));
        assert!(flush(Purpose::Tests) && !flush(Purpose::Demo));
    }

    #[test]
    fn the_time_that_a_lock_is_waited_for_is_the_servers_own() {
        for purpose in [Purpose::Tests, Purpose::Demo] {
            assert!(!purpose.settings().concat().iter().any(|setting| setting.contains("lock-wait-timeout")));
        }
        assert_eq!(url(3307), "mysql://root@127.0.0.1:3307/mysql");
    }
}
