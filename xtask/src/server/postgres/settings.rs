//! What a throw-away server is told: plain arguments and variables, no IO.

use std::ffi::OsString;
use std::path::Path;

const USER: &str = "postgres";

/// The locales to try. `C.UTF-8` sorts like `C` everywhere and knows letters beyond ASCII; old systems lack it.
pub(super) const LOCALES: [&str; 2] = ["C.UTF-8", "C"];

/// What a server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Fast: nothing has to survive a power cut.
    Tests,
    /// Errors in German.
    German,
    /// Errors in Japanese.
    Japanese,
    /// May be crashed by the tests that want that, and by no other test used: every session on it is lost then.
    Crash,
    /// A hot standby: in recovery for ever, for want of a primary to send it more.
    Standby,
    /// As durable as a real server, because transfers per second are printed.
    Demo,
}

impl Purpose {
    /// The servers that the test suite works on.
    pub(crate) const SUITE: [Self; 5] = [Self::Tests, Self::German, Self::Japanese, Self::Crash, Self::Standby];

    /// Returns the variable that names such a server; the first is called as in Diesel's own tests.
    pub(crate) const fn variable(self) -> &'static str {
        match self {
            Self::Tests | Self::Demo => "PG_DATABASE_URL",
            Self::German => "PG_GERMAN_DATABASE_URL",
            Self::Japanese => "PG_JAPANESE_DATABASE_URL",
            Self::Crash => "PG_CRASH_DATABASE_URL",
            Self::Standby => "PG_STANDBY_DATABASE_URL",
        }
    }

    /// Returns the file that its data folder must have besides, if it needs one. On a copy of a cluster that was shut down cleanly,
    /// a [standby] is consistent at once and takes readers.
    ///
    /// [standby]: https://www.postgresql.org/docs/current/warm-standby.html#STANDBY-SERVER-OPERATION
    pub(super) const fn signal(self) -> Option<&'static str> {
        match self {
            Self::Standby => Some("standby.signal"),
            Self::Tests | Self::German | Self::Japanese | Self::Crash | Self::Demo => None,
        }
    }

    /// Returns what its files are called by.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Tests | Self::Demo => "postgres",
            Self::German => "postgres-german",
            Self::Japanese => "postgres-japanese",
            Self::Crash => "postgres-crash",
            Self::Standby => "postgres-standby",
        }
    }

    /// Returns the language of the server's errors, unless it is English.
    pub(super) const fn language(self) -> Option<&'static str> {
        match self {
            Self::German => Some("de"),
            Self::Japanese => Some("ja"),
            Self::Tests | Self::Crash | Self::Standby | Self::Demo => None,
        }
    }

    fn settings(self) -> Vec<&'static [&'static str]> {
        match self {
            Self::Tests => vec![ALWAYS, LARGE, ENGLISH, NOT_DURABLE, LAZY],
            Self::German | Self::Japanese => vec![ALWAYS, SMALL, TRANSLATED, NOT_DURABLE, LAZY],
            // Not lazy: what a test has committed is still there after a crash, which only the machine's would undo.
            Self::Crash => vec![ALWAYS, SMALL, ENGLISH, NOT_DURABLE, RESTARTED],
            Self::Standby => vec![ALWAYS, SMALL, ENGLISH, NOT_DURABLE],
            Self::Demo => vec![ALWAYS, LARGE, ENGLISH],
        }
    }
}

const ALWAYS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    // The default of 1 s makes sessions sleep through most of a 10 s demo, and each test of a deadlock last a second.
    "deadlock_timeout=200ms",
    "log_lock_waits=on",
];

const LARGE: &[&str] = &["max_connections=300", "shared_buffers=128MB"];

const SMALL: &[&str] = &["max_connections=100", "shared_buffers=32MB"];

/// Readable by whoever looks into the log.
const ENGLISH: &[&str] = &["lc_messages=C"];

/// Any locale but `C`, with which `LANGUAGE` counts for nothing. This one needs no installation, unlike `de_DE.UTF-8`;
/// macOS has all of those and, for long, lacked this one.
const TRANSLATED: &[&str] =
    if cfg!(target_os = "macos") { &["lc_messages=en_US.UTF-8"] } else { &["lc_messages=C.UTF-8"] };

const NOT_DURABLE: &[&str] = &["fsync=off", "full_page_writes=off"];

/// Commits are written a moment after they are reported.
const LAZY: &[&str] = &["synchronous_commit=off"];

/// When a backend is killed, the postmaster ends all the others and starts over.
const RESTARTED: &[&str] = &["restart_after_crash=on"];

/// Returns the arguments of `initdb`.
pub(super) fn initdb_arguments(data: &Path, locale: &str) -> Vec<OsString> {
    let mut arguments = vec![OsString::from("-D"), data.into()];
    arguments.extend(["-U", USER, "--auth=trust", "-E", "UTF8", "--no-sync"].map(OsString::from));
    arguments.push(format!("--locale={locale}").into());
    arguments
}

/// Returns the arguments of `postgres`; its Unix socket goes to the folder `sockets`.
pub(super) fn server_arguments(data: &Path, sockets: &Path, port: u16, purpose: Purpose) -> Vec<OsString> {
    let mut arguments = vec![OsString::from("-D"), data.into(), "-p".into(), port.to_string().into(), "-k".into()];
    arguments.push(sockets.into());
    for setting in purpose.settings().concat() {
        arguments.extend(["-c".into(), OsString::from(setting)]);
    }
    arguments
}

/// Returns how to reach the server.
pub(super) fn url(port: u16) -> String {
    format!("postgres://{USER}@127.0.0.1:{port}/postgres")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn text(purpose: Purpose) -> String {
        let arguments = server_arguments(Path::new("/d"), Path::new("/s"), 5433, purpose);
        arguments.join(OsString::from(" ").as_os_str()).into_string().expect("plain text")
    }

    #[test]
    fn tests_are_fast_and_the_demo_is_durable() {
        assert!(text(Purpose::Tests).starts_with("-D /d -p 5433 -k /s -c listen_addresses=127.0.0.1 "));
        assert!(text(Purpose::Tests).ends_with("-c fsync=off -c full_page_writes=off -c synchronous_commit=off"));
        assert!(!text(Purpose::Demo).contains("off"));
    }

    #[test]
    fn commits_survive_where_tests_crash_the_server() {
        assert!(text(Purpose::Crash).contains("restart_after_crash=on"));
        assert!(!text(Purpose::Crash).contains("synchronous_commit"));
    }

    #[test]
    fn a_server_speaks_another_language_only_where_the_locale_is_not_c() {
        for purpose in Purpose::SUITE {
            let is_c = text(purpose).contains("-c lc_messages=C -c");
            assert_eq!(purpose.language().is_none(), is_c, "{purpose:?}");
        }
    }

    #[test]
    fn the_servers_of_the_suite_do_not_share_a_variable_or_a_folder() {
        let variables: BTreeSet<_> = Purpose::SUITE.iter().map(|purpose| purpose.variable()).collect();
        let names: BTreeSet<_> = Purpose::SUITE.iter().map(|purpose| purpose.name()).collect();
        assert_eq!((variables.len(), names.len()), (5, 5));
    }

    #[test]
    fn the_url_names_the_user_of_initdb() {
        assert_eq!(url(5433), "postgres://postgres@127.0.0.1:5433/postgres");
        assert!(initdb_arguments(Path::new("/d"), "C").contains(&OsString::from("postgres")));
    }
}
