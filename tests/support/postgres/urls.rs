//! Where the servers are: `PG_DATABASE_URL` and its kin, or a panic that says what to run.

use crate::support::server::{further, variable};

const NO_SERVER: &str = "no server: run `cargo xtask test`, or set PG_DATABASE_URL to a PostgreSQL whose user may create \
                         databases";

/// The database that the tests manage their own databases from. No test keeps anything in it.
pub(crate) fn url() -> String {
    variable("PG_DATABASE_URL").unwrap_or_else(|| panic!("{NO_SERVER}"))
}

/// A server whose errors are in German.
pub(crate) fn german_url() -> String {
    further("German", "PG_GERMAN_DATABASE_URL")
}

/// A server whose errors are in Japanese.
pub(crate) fn japanese_url() -> String {
    further("Japanese", "PG_JAPANESE_DATABASE_URL")
}

/// A server that may be crashed: nobody but the tests that do so uses it, and each of them must expect the others.
///
/// If a backend is killed, the server restarts by itself. If the postmaster ends (`kill -QUIT`), `cargo xtask test`
/// starts it again within a second or so, on the same port and data. What was committed survives both.
pub(crate) fn crash_url() -> String {
    further("crash", "PG_CRASH_DATABASE_URL")
}

/// A hot standby. Of what it has no test may want anything: it takes no writes, and no arena.
pub(crate) fn standby_url() -> String {
    further("standby", "PG_STANDBY_DATABASE_URL")
}
