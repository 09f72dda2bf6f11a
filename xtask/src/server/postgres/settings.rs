//! What a throw-away server is told: plain arguments, no IO.

use std::ffi::OsString;
use std::path::Path;

const USER: &str = "postgres";

/// The locales to try. `C.UTF-8` sorts like `C` everywhere and knows letters beyond ASCII; old systems lack it.
pub(super) const LOCALES: [&str; 2] = ["C.UTF-8", "C"];

/// What the server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Fast: nothing has to survive a power cut.
    Tests,
    /// As durable as a real server, because transfers per second are printed.
    Demo,
}

/// Settings of every server.
const ALWAYS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "max_connections=300",
    "shared_buffers=128MB",
    // The default of 1 s makes sessions sleep through most of a 10 s demo, and each test of a deadlock last a second.
    "deadlock_timeout=200ms",
    "log_lock_waits=on",
    // Readable by whoever looks into the log, and by this program.
    "lc_messages=C",
];

const NOT_DURABLE: &[&str] = &["fsync=off", "full_page_writes=off", "synchronous_commit=off"];

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
    let durability = match purpose {
        Purpose::Tests => NOT_DURABLE,
        Purpose::Demo => &[],
    };
    for setting in ALWAYS.iter().chain(durability) {
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
    fn the_url_names_the_user_of_initdb() {
        assert_eq!(url(5433), "postgres://postgres@127.0.0.1:5433/postgres");
        assert!(initdb_arguments(Path::new("/d"), "C").contains(&OsString::from("postgres")));
    }
}
