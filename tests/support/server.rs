//! Where the servers are: `PG_DATABASE_URL` and its kin, or a panic that says what to run.

use diesel::{Connection, PgConnection};

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

fn further(kind: &str, name: &str) -> String {
    variable(name).unwrap_or_else(|| panic!("no {kind} server: run `cargo xtask test`, or set {name}"))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|url| !url.trim().is_empty())
}

/// A connection to `url`, or a panic that names it.
pub(crate) fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap_or_else(|error| panic!("cannot connect to {url}: {error}"))
}

/// `url`, pointing at the database `name` of the same server. Both forms that libpq reads are understood.
pub(crate) fn with_database(url: &str, name: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        // `host=.. dbname=..`: the last word on a key counts.
        return format!("{url} dbname={name}");
    };
    let (place, options) = match rest.split_once('?') {
        Some((place, options)) => (place, format!("?{options}")),
        None => (rest, String::new()),
    };
    let authority = place.split('/').next().unwrap_or_default();
    format!("{scheme}://{authority}/{name}{options}")
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_of_a_url_is_replaced_and_nothing_else() {
        for (url, expected) in [
            ("postgres://me:pw@127.0.0.1:5432/postgres", "postgres://me:pw@127.0.0.1:5432/new"),
            ("postgres://me@localhost", "postgres://me@localhost/new"),
            ("postgresql:///old?host=/run/pg&sslmode=disable", "postgresql:///new?host=/run/pg&sslmode=disable"),
            ("postgres://me@localhost?application_name=a/b", "postgres://me@localhost/new?application_name=a/b"),
            ("host=localhost dbname=old user=me", "host=localhost dbname=old user=me dbname=new"),
        ] {
            assert_eq!(with_database(url, "new"), expected);
        }
    }
}
