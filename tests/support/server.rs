//! What the tests ask of any server: a database, a session, who holds what, who waits for whom.

use diesel::{
    Connection, QueryResult,
    backend::Backend,
    connection::{LoadConnection, SimpleConnection},
};

use diesel_lockset::AdvisoryName;

use super::probe::Held;

/// A kind of server. Each is asked in its own words.
pub(crate) trait Server: Sized + 'static {
    type Backend: Backend;

    /// A plain connection, by which the tests look at the server from outside.
    type Conn: Connection<Backend = Self::Backend> + LoadConnection + SimpleConnection + Observer + 'static;

    /// Whether rows are held one by one. If not, whoever holds one is the only writer, and holds all.
    const LOCKS_ROWS: bool = true;

    /// The database that the tests manage their own databases from. No test keeps anything in it.
    fn url() -> String;

    /// A connection to `url`, or a panic that names it.
    fn connect(url: &str) -> Self::Conn {
        Self::Conn::establish(url).unwrap_or_else(|error| panic!("cannot connect to {url}: {error}"))
    }

    /// How to connect to the database `name` on the server at `server`.
    fn database_url(server: &str, name: &str) -> String {
        with_database(server, name)
    }

    /// Makes a database with the fixtures in it, on the server at `server`.
    fn create_database(server: &str, name: &str) -> QueryResult<()>;

    /// Drops a database, whoever is still in it.
    fn drop_database(server: &str, name: &str) -> QueryResult<()>;

    /// What a session of a test is set to, so that a row which changed while it waited is no error by default.
    fn prepare<C>(conn: &mut C)
    where
        C: Connection<Backend = Self::Backend> + LoadConnection,
    {
        let _ = conn;
    }

    /// The server's own number of a session: what it says when it says who waits.
    fn session_number<C>(conn: &mut C) -> i32
    where
        C: Connection<Backend = Self::Backend> + LoadConnection;

    /// Runs one statement; the number of rows that it changed or selected.
    fn execute<C>(conn: &mut C, statement: &str) -> QueryResult<usize>
    where
        C: Connection<Backend = Self::Backend> + LoadConnection;

    /// The one number that `query` selects.
    fn number<C>(conn: &mut C, query: &str) -> QueryResult<i64>
    where
        C: Connection<Backend = Self::Backend> + LoadConnection;

    /// Whether queries in a set are asked for keys by statements of their own, and keys go into several statements.
    const RESOLVES_FIRST: bool;

    /// Very many keys of two columns that fit into one set. Where the server has to sort them, they go into one statement.
    const MANY_COMPOSITE_KEYS: i32;

    /// Whether a transaction goes on after a statement that timed out.
    const UNDOES_STATEMENTS: bool;

    /// A query for the sessions of this database that are at work or wait, those that wait in front if the server tells.
    const AT_WORK: &str;

    /// How many times longer than PostgreSQL the server takes to tell who waits.
    const SLOW_TO_TELL: u32;

    /// Whether a locking clause on a join can name one of its tables.
    fn locks_named_tables_only(conn: &mut Self::Conn) -> bool;

    /// Whether locking a row that changed after the transaction's snapshot is an error.
    fn fails_on_stale_rows(conn: &mut Self::Conn) -> bool;

    /// The statement by which the server counts the rows of `table`, so that it plans well.
    fn analyze(table: &str) -> String;

    /// A name that is a word of SQL, or looks like none.
    fn quoted(name: &str) -> String;

    /// The statement that gives a level such as `REPEATABLE READ` to all transactions of the session from then on.
    fn isolate(level: &str) -> String;

    /// Begins a transaction with characteristics such as `ISOLATION LEVEL REPEATABLE READ` or `READ ONLY`.
    fn begin_as<C>(conn: &mut C, characteristics: &str) -> QueryResult<()>
    where
        C: Connection<Backend = Self::Backend> + LoadConnection;

    /// The one text that `query` selects; `None` for NULL and for no row.
    fn text(conn: &mut Self::Conn, query: &str) -> QueryResult<Option<String>>;

    /// What a session finds that wants to update the one row of `table` that `condition` picks out.
    fn probe(conn: &mut Self::Conn, table: &str, condition: &str) -> Held;

    /// What a session finds that wants to share the one row of `table` that `condition` picks out.
    fn probe_share(conn: &mut Self::Conn, table: &str, condition: &str) -> Held;

    /// The keys, in order and as text, of the rows of `table` that a session could not lock for update. `key` is a
    /// column, or several in brackets.
    fn held_keys(conn: &mut Self::Conn, table: &str, key: &str) -> Vec<String>;

    /// The statement by which a session releases all its advisory locks.
    const RELEASE_ALL: &str;

    /// How many of these advisory locks are held in this database, whoever holds them. Where the server can list all that
    /// are held, all count.
    fn advisory_locks(conn: &mut Self::Conn, names: &[AdvisoryName]) -> i64;

    /// The deadlocks that the server has resolved in this database.
    fn deadlocks(conn: &mut Self::Conn) -> i64;
}

/// A connection that asks the server about its sessions. Never a clock.
pub(crate) trait Observer: Send {
    /// The sessions that `session` waits for, in ascending order; none when it does not wait for a lock.
    fn blocked_by(&mut self, session: i32) -> Vec<i32>;

    /// Ends `session`, as an administrator or a crash would, and returns when it is gone.
    fn terminate(&mut self, session: i32);

    /// Ends the statement that `session` is at, and no more, as an administrator would.
    fn cancel(&mut self, session: i32);

    /// Returns when the server has ended `session` and freed what it held.
    fn wait_until_gone(&mut self, session: i32);

    /// What every session of this database does, for the message of a test that fails.
    fn activity(&mut self) -> String;
}

/// A table expression of the numbers from `first` to `last`, as column `n`, in words of every server. Recursion would have
/// a limit, and not the same on each.
pub(crate) fn numbers(first: i64, last: i64) -> String {
    let digits = (1..10).fold("SELECT 0 AS d".to_owned(), |digits, d| format!("{digits} UNION ALL SELECT {d}"));
    let places: Vec<u32> = (0..=(last - first).max(1).ilog10()).collect();
    let sum: Vec<String> = places.iter().map(|place| format!("{} * p{place}.d", 10_i64.pow(*place))).collect();
    let product: Vec<String> = places.iter().map(|place| format!("({digits}) AS p{place}")).collect();
    let all = format!("SELECT {first} + {} AS n FROM {}", sum.join(" + "), product.join(" CROSS JOIN "));
    format!("(SELECT n FROM ({all}) AS more WHERE n <= {last}) AS numbers")
}

/// The value of a variable that is set, and not to nothing.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|url| !url.trim().is_empty())
}

/// A server besides the main one, by the variable that names it.
pub(super) fn further(kind: &str, name: &str) -> String {
    variable(name).unwrap_or_else(|| panic!("no {kind} server: run `cargo xtask test`, or set {name}"))
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
            ("mysql://root@127.0.0.1:3306/mysql", "mysql://root@127.0.0.1:3306/new"),
            ("postgresql:///old?host=/run/pg&sslmode=disable", "postgresql:///new?host=/run/pg&sslmode=disable"),
            ("postgres://me@localhost?application_name=a/b", "postgres://me@localhost/new?application_name=a/b"),
            ("host=localhost dbname=old user=me", "host=localhost dbname=old user=me dbname=new"),
        ] {
            assert_eq!(with_database(url, "new"), expected);
        }
    }
}
