//! What the throw-away server is told: plain arguments, no IO.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Made by `mariadb-install-db`, without a password.
const USER: &str = "root";

/// There in every server. No test keeps anything in it.
const DATABASE: &str = "mysql";

/// What a server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Fast, and tells of deadlocks.
    Tests,
    /// May be crashed by the tests that want that, and by no other test used: every session on it is lost then.
    Crash,
    /// Takes the whole transaction back after a timeout, which can be chosen at the start only.
    Rollback,
    /// As durable as a real server, because transfers per second are printed.
    Demo,
}

impl Purpose {
    /// The servers that the test suite works on.
    pub(crate) const SUITE: [Self; 3] = [Self::Tests, Self::Crash, Self::Rollback];

    /// Returns the variable that names such a server; the first is called as in Diesel's own tests.
    pub(crate) const fn variable(self) -> &'static str {
        match self {
            Self::Tests | Self::Demo => "MYSQL_DATABASE_URL",
            Self::Crash => "MYSQL_CRASH_DATABASE_URL",
            Self::Rollback => "MYSQL_ROLLBACK_DATABASE_URL",
        }
    }

    /// Returns where a file or folder of the server is that is called by what it is for.
    pub(super) fn file(self, scratch: &Path, ending: &str) -> PathBuf {
        let name = match self {
            Self::Tests | Self::Demo => "mariadb",
            Self::Crash => "mariadb-crash",
            Self::Rollback => "mariadb-rollback",
        };
        scratch.join(name).with_extension(ending)
    }

    fn settings(self) -> Vec<&'static [&'static str]> {
        match self {
            Self::Tests => vec![ALWAYS, LARGE, FOR_TESTS, LAZY],
            // Not lazy: what a test has committed is still there after a crash, which only the machine's would undo.
            Self::Crash => vec![ALWAYS, SMALL, FOR_TESTS, WRITTEN],
            Self::Rollback => vec![ALWAYS, SMALL, FOR_TESTS, LAZY, TAKES_ALL_BACK],
            Self::Demo => vec![ALWAYS, LARGE],
        }
    }
}

const ALWAYS: &[&str] = &[
    "--bind-address=127.0.0.1",
    // Else the user that was made for `localhost` would not be found for 127.0.0.1.
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",
    "--skip-log-bin",
    "--innodb-fast-shutdown=2",
];

const LARGE: &[&str] = &["--max-connections=300", "--innodb-buffer-pool-size=64M"];

const SMALL: &[&str] = &["--max-connections=50", "--innodb-buffer-pool-size=16M"];

/// Commits are written a moment after they are reported.
const LAZY: &[&str] = &["--innodb-flush-log-at-trx-commit=0"];

/// Commits are written when they are reported, though not as far as the disk.
const WRITTEN: &[&str] = &["--innodb-flush-log-at-trx-commit=2"];

const TAKES_ALL_BACK: &[&str] = &["--innodb-rollback-on-timeout=ON"];

const FOR_TESTS: &[&str] = &[
    // Fast: nothing has to survive a power cut.
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

/// Returns the arguments of `mariadb-install-db` for the server that the program `mariadbd` is.
pub(super) fn install_arguments(mariadbd: &Path, data: &Path, scratch: &Path) -> Vec<OsString> {
    // First: else the machine's own configuration counts.
    let mut arguments: Vec<OsString> = vec!["--no-defaults".into()];
    arguments.extend(base(mariadbd));
    arguments.push(option("--datadir=", data));
    arguments.push(option("--tmpdir=", scratch));
    // The default lets root in through the Unix socket only.
    let others = ["--auth-root-authentication-method=normal", "--skip-name-resolve", "--skip-test-db"];
    arguments.extend(others.map(OsString::from));
    arguments
}

/// Returns the arguments of `mariadbd`; all its files are in the folder `scratch`.
pub(super) fn server_arguments(mariadbd: &Path, scratch: &Path, port: u16, purpose: Purpose) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["--no-defaults".into()];
    arguments.extend(base(mariadbd));
    arguments.push(option("--tmpdir=", scratch));
    for (name, ending) in
        [("--datadir=", "data"), ("--socket=", "sock"), ("--pid-file=", "pid"), ("--log-error=", "log")]
    {
        arguments.push(option(name, &purpose.file(scratch, ending)));
    }
    arguments.push(format!("--port={port}").into());
    arguments.extend(purpose.settings().concat().into_iter().map(OsString::from));
    arguments
}

/// Returns how to reach the server.
pub(super) fn url(port: u16) -> String {
    format!("mysql://{USER}@127.0.0.1:{port}/{DATABASE}")
}

/// An installation that was moved does not know where its files are: above the folder of its programs.
fn base(mariadbd: &Path) -> Option<OsString> {
    mariadbd.parent()?.parent().map(|base| option("--basedir=", base))
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
        let (mariadbd, scratch) = (Path::new("/usr/sbin/mariadbd"), Path::new("/s"));
        let server = text(server_arguments(mariadbd, scratch, 3307, Purpose::Crash));
        let beginning = "--no-defaults --basedir=/usr --tmpdir=/s --datadir=/s/mariadb-crash.data \
                         --socket=/s/mariadb-crash.sock --pid-file=/s/mariadb-crash.pid \
                         --log-error=/s/mariadb-crash.log --port=3307 --bind-address=127.0.0.1 ";
        assert!(server.starts_with(beginning), "{server}");
        let install = text(install_arguments(mariadbd, Path::new("/d"), scratch));
        assert!(install.starts_with("--no-defaults --basedir=/usr --datadir=/d --tmpdir=/s "), "{install}");
    }

    #[test]
    fn what_the_demo_measures_is_written_to_disk() {
        let flush = |purpose: Purpose| purpose.settings().concat().iter().any(|setting| setting.contains("flush-log"));
        assert!(flush(Purpose::Tests) && !flush(Purpose::Demo));
    }

    #[test]
    fn commits_survive_where_tests_crash_the_server() {
        assert!(Purpose::Crash.settings().contains(&WRITTEN));
    }

    #[test]
    fn the_time_that_a_lock_is_waited_for_is_the_servers_own() {
        for purpose in [Purpose::Tests, Purpose::Crash, Purpose::Rollback, Purpose::Demo] {
            assert!(!purpose.settings().concat().iter().any(|setting| setting.contains("lock-wait-timeout")));
        }
        assert_eq!(url(3307), "mysql://root@127.0.0.1:3307/mysql");
    }
}
