//! SQLite: a file for each test, and questions that the only writer answers: who holds a row holds all.
//!
//! SQLite does not tell who waits for whom, so tests that ask for it are not run on it.

use std::{
    fs,
    path::Path,
    sync::{
        LazyLock,
        atomic::{AtomicI32, Ordering},
    },
};

use diesel::{
    Connection, QueryResult, RunQueryDsl, SqliteConnection,
    connection::{LoadConnection, SimpleConnection, TransactionManager},
    dsl::sql,
    sql_query,
    sql_types::{BigInt, Nullable, Text},
    sqlite::Sqlite,
};
use tempfile::TempDir;

use diesel_lockset::AdvisoryName;

use super::{
    probe::Held,
    server::{Observer, Server},
};

const FIXTURES: &str = include_str!("../../../migrations/sqlite/2026-11-01-000000_fixtures/up.sql");

/// Time for those who do not lock: a commit waits for readers. Nobody waits for the disk.
const PATIENT: &str = "PRAGMA busy_timeout = 60000; PRAGMA synchronous = OFF";

/// SQLite in files with a write-ahead log, or with a rollback journal.
#[derive(Debug)]
pub(crate) enum SqliteFile<const WAL: bool> {}

impl<const WAL: bool> Server for SqliteFile<WAL> {
    type Backend = Sqlite;
    type Conn = SqliteConnection;

    const LOCKS_ROWS: bool = false;
    const RESOLVES_FIRST: bool = true;
    // 16,384 values.
    const MANY_COMPOSITE_KEYS: i32 = 8_000;
    const UNDOES_STATEMENTS: bool = true;
    const AT_WORK: &str = "SELECT 0 WHERE 0";
    const SLOW_TO_TELL: u32 = 1;
    const RELEASE_ALL: &str = "SELECT 0 WHERE 0";

    fn locks_named_tables_only(_: &mut SqliteConnection) -> bool {
        false
    }

    fn fails_on_stale_rows(_: &mut SqliteConnection) -> bool {
        true
    }

    /// The folder of the files.
    fn url() -> String {
        static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));
        FOLDER.path().to_str().expect("a path of characters").to_owned()
    }

    fn database_url(server: &str, name: &str) -> String {
        Path::new(server).join(name).to_str().expect("a path of characters").to_owned()
    }

    fn connect(url: &str) -> SqliteConnection {
        let mut conn = SqliteConnection::establish(url).unwrap_or_else(|error| panic!("cannot open {url}: {error}"));
        Self::prepare(&mut conn);
        conn
    }

    fn create_database(server: &str, name: &str) -> QueryResult<()> {
        let mut conn = Self::connect(&Self::database_url(server, name));
        conn.batch_execute(&format!("PRAGMA journal_mode = {}", if WAL { "WAL" } else { "DELETE" }))?;
        conn.batch_execute(&format!("BEGIN; {FIXTURES}; COMMIT"))
    }

    fn drop_database(server: &str, name: &str) -> QueryResult<()> {
        for more in ["", "-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(Self::database_url(server, &format!("{name}{more}")));
        }
        Ok(())
    }

    fn prepare<C>(conn: &mut C)
    where
        C: Connection<Backend = Sqlite> + LoadConnection,
    {
        conn.batch_execute(PATIENT).expect("a time limit");
    }

    /// SQLite numbers no connections.
    fn session_number<C>(_: &mut C) -> i32
    where
        C: Connection<Backend = Sqlite> + LoadConnection,
    {
        static LAST: AtomicI32 = AtomicI32::new(0);
        LAST.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn execute<C>(conn: &mut C, statement: &str) -> QueryResult<usize>
    where
        C: Connection<Backend = Sqlite> + LoadConnection,
    {
        if !statement.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select")) {
            return sql_query(statement).execute(conn);
        }
        conn.load(sql_query(statement))?.try_fold(0, |rows, row| row.map(|_| rows + 1))
    }

    fn number<C>(conn: &mut C, query: &str) -> QueryResult<i64>
    where
        C: Connection<Backend = Sqlite> + LoadConnection,
    {
        sql::<BigInt>(&format!("SELECT CAST(({query}) AS INTEGER)")).get_result(conn)
    }

    fn analyze(table: &str) -> String {
        format!("ANALYZE {table}")
    }

    fn quoted(name: &str) -> String {
        format!("`{name}`")
    }

    /// All transactions are serializable.
    fn isolate(_: &str) -> String {
        Self::AT_WORK.to_owned()
    }

    fn begin_as<C>(conn: &mut C, _: &str) -> QueryResult<()>
    where
        C: Connection<Backend = Sqlite> + LoadConnection,
    {
        C::TransactionManager::begin_transaction(conn)
    }

    fn text(conn: &mut SqliteConnection, query: &str) -> QueryResult<Option<String>> {
        sql::<Nullable<Text>>(&format!("SELECT CAST(({query}) AS TEXT)")).get_result(conn)
    }

    fn probe(conn: &mut SqliteConnection, table: &str, condition: &str) -> Held {
        let seen = Self::number(conn, &format!("SELECT count(*) FROM {table} WHERE {condition}")).expect("a number");
        let seen = usize::try_from(seen).expect("a number of rows");
        Held::of(seen, if has_writer(conn) { 0 } else { seen }, table, condition)
    }

    fn probe_share(conn: &mut SqliteConnection, table: &str, condition: &str) -> Held {
        Self::probe(conn, table, condition)
    }

    fn held_keys(conn: &mut SqliteConnection, table: &str, key: &str) -> Vec<String> {
        if !has_writer(conn) {
            return Vec::new();
        }
        // Several columns: as PostgreSQL writes a row.
        let columns: Vec<&str> = key.trim_matches(['(', ')']).split(", ").collect();
        let text = columns.join(" || ',' || ");
        let text = if columns.len() > 1 { format!("'(' || {text} || ')'") } else { format!("CAST({text} AS TEXT)") };
        let keys = sql::<Text>(&format!("SELECT {text} FROM {table} ORDER BY {}", columns.join(", ")));
        keys.load(conn).unwrap_or_else(|error| panic!("{table}: {error}"))
    }

    fn advisory_locks(_: &mut SqliteConnection, _: &[AdvisoryName]) -> i64 {
        0
    }

    fn deadlocks(_: &mut SqliteConnection) -> i64 {
        0
    }
}

/// Whether a transaction is the writer, found out by a connection that tries to become it and does not wait.
fn has_writer(conn: &mut SqliteConnection) -> bool {
    conn.batch_execute("PRAGMA busy_timeout = 0").expect("a time limit");
    let tried = conn.batch_execute("BEGIN IMMEDIATE; ROLLBACK");
    conn.batch_execute(PATIENT).expect("a time limit");
    match tried {
        Ok(()) => false,
        Err(error) => {
            assert_eq!(error.to_string(), "database is locked");
            true
        }
    }
}

impl Observer for SqliteConnection {
    fn blocked_by(&mut self, _: i32) -> Vec<i32> {
        Vec::new()
    }

    fn terminate(&mut self, session: i32) {
        panic!("nobody ends session {session}");
    }

    fn cancel(&mut self, session: i32) {
        panic!("nobody cancels session {session}");
    }

    fn wait_until_gone(&mut self, _: i32) {}

    fn activity(&mut self) -> String {
        format!("there is {} writer", if has_writer(self) { "a" } else { "no" })
    }
}
