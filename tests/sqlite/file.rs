//! A database file of a test's own, and connections to it.

use std::sync::mpsc::{Receiver, Sender, channel};

use diesel::{
    connection::{InstrumentationEvent, SimpleConnection},
    prelude::*,
    sql_types::BigInt,
};
use diesel_lockset::Lockable;
use tempfile::TempDir;

diesel::table! {
    accounts (id) {
        id -> Integer,
        owner -> Text,
        balance -> Integer,
    }
}

diesel::table! {
    jobs (id) {
        id -> BigInt,
        queue_id -> Integer,
        status -> Text,
        priority -> Integer,
    }
}

diesel::table! {
    queues (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::table! {
    tags (name) {
        name -> Text,
        uses -> Integer,
    }
}

diesel::table! {
    seats (section, number) {
        section -> Text,
        number -> Integer,
        holder -> Nullable<Text>,
    }
}

diesel::joinable!(jobs -> queues (queue_id));
diesel::allow_tables_to_appear_in_same_query!(accounts, jobs, queues, tags, seats);

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Lockable)]
pub(crate) struct Account {
    pub(crate) id: i32,
    pub(crate) owner: String,
    pub(crate) balance: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Lockable)]
pub(crate) struct Job {
    pub(crate) id: i64,
    pub(crate) status: String,
    pub(crate) priority: i32,
}

/// Its key ignores case.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(primary_key(name))]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) uses: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(primary_key(section, number))]
pub(crate) struct Seat {
    pub(crate) section: String,
    pub(crate) number: i32,
    pub(crate) holder: Option<String>,
}

pub(crate) const FIXTURES: &str = "
    CREATE TABLE accounts (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, balance INTEGER NOT NULL);
    INSERT INTO accounts VALUES (1, 'ada', 10), (2, 'ben', 20), (3, 'cyd', 30);
    CREATE TABLE queues (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    INSERT INTO queues VALUES (1, 'mail'), (2, 'print');
    CREATE TABLE jobs (id INTEGER PRIMARY KEY, queue_id INTEGER NOT NULL REFERENCES queues, status TEXT NOT NULL,
        priority INTEGER NOT NULL);
    INSERT INTO jobs VALUES (1, 1, 'new', 3), (2, 1, 'new', 1), (3, 2, 'new', 2), (4, 1, 'done', 0);
    CREATE TABLE tags (name TEXT PRIMARY KEY COLLATE NOCASE, uses INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO tags VALUES ('Rust', 1), ('sql', 2), ('Zig', 3);
    CREATE TABLE seats (section TEXT NOT NULL, number INTEGER NOT NULL, holder TEXT, PRIMARY KEY (section, number));
    INSERT INTO seats VALUES ('B', 1, NULL), ('A', 2, 'ada'), ('A', 1, NULL);
    CREATE VIEW rich AS SELECT * FROM accounts WHERE balance > 15;
";

/// The journal of a database: a reader stops a commit in the one, and has an old snapshot in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Journal {
    Rollback,
    Wal,
}

/// A file with the fixtures, which is deleted at the end.
pub(crate) struct File {
    dir: TempDir,
    pub(crate) journal: Journal,
}

impl File {
    pub(crate) fn new(journal: Journal) -> Self {
        let file = File { dir: tempfile::tempdir().unwrap(), journal };
        let mode = if journal == Journal::Wal { "WAL" } else { "DELETE" };
        file.connect().batch_execute(&format!("PRAGMA journal_mode = {mode}; {FIXTURES}")).unwrap();
        file
    }

    pub(crate) fn path(&self) -> String {
        self.dir.path().join("test.db").to_str().unwrap().to_owned()
    }

    pub(crate) fn connect(&self) -> SqliteConnection {
        SqliteConnection::establish(&self.path()).unwrap()
    }

    /// A connection that is the writer.
    pub(crate) fn writer(&self) -> SqliteConnection {
        let mut conn = self.connect();
        // Those that wait for it may be readers for a moment.
        conn.batch_execute("PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE").unwrap();
        conn
    }

    /// Whether a transaction is the writer, asked by a connection that tries to become it.
    pub(crate) fn has_writer(&self) -> bool {
        let tried = self.connect().batch_execute("BEGIN IMMEDIATE; ROLLBACK");
        tried.is_err_and(|error| error.to_string() == "database is locked")
    }
}

/// Runs a test with each kind of journal.
pub(crate) fn with_each_journal(test: impl Fn(&File)) {
    for journal in [Journal::Rollback, Journal::Wal] {
        eprintln!("with {journal:?}");
        test(&File::new(journal));
    }
}

pub(crate) fn number(conn: &mut SqliteConnection, query: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Number {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }
    diesel::sql_query(format!("SELECT ({query}) AS n")).get_result::<Number>(conn).unwrap().n
}

pub(crate) fn balance(conn: &mut SqliteConnection, id: i32) -> i32 {
    accounts::table.find(id).select(accounts::balance).first(conn).unwrap()
}

pub(crate) fn busy_timeout(conn: &mut SqliteConnection) -> i64 {
    #[derive(QueryableByName)]
    struct Timeout {
        #[diesel(sql_type = BigInt)]
        timeout: i64,
    }
    diesel::sql_query("PRAGMA busy_timeout").get_result::<Timeout>(conn).unwrap().timeout
}

/// The statements that a connection begins to run from here on, as they are sent.
pub(crate) fn overhear(conn: &mut SqliteConnection) -> Receiver<String> {
    let (sender, receiver): (Sender<String>, _) = channel();
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            let _ = sender.send(query.to_string().split(" -- ").next().unwrap_or_default().to_owned());
        }
    });
    receiver
}

/// Waits until a statement with this beginning is sent.
pub(crate) fn await_statement(statements: &Receiver<String>, beginning: &str) {
    while !statements.recv().unwrap().starts_with(beginning) {}
}
