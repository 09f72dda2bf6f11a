//! One database per test: copied from the template, dropped when the test succeeds, kept when it panics.

use std::{
    hash::{BuildHasher, RandomState},
    marker::PhantomData,
    thread,
};

use diesel::connection::SimpleConnection;

use super::{database_name::DatabaseName, probe::Held, server::Server};

/// A database of a test's own, with the fixtures of `migrations/` in it.
#[derive(Debug)]
pub(crate) struct ServerArena<S: Server> {
    name: String,
    url: String,
    server: String,
    kind: PhantomData<fn() -> S>,
}

impl<S: Server> ServerArena<S> {
    /// See [`Server::LOCKS_ROWS`].
    pub(crate) const LOCKS_ROWS: bool = S::LOCKS_ROWS;

    /// An arena for the running test, whose name libtest gives to the thread.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::named(thread::current().name().unwrap_or("unnamed"))
    }

    /// An arena for `title`. Two of one title are two arenas.
    #[must_use]
    pub(crate) fn named(title: &str) -> Self {
        Self::create(title, S::url())
    }

    /// An arena for the running test on another server than the usual one.
    #[must_use]
    pub(crate) fn on(server: String) -> Self {
        Self::create(thread::current().name().unwrap_or("unnamed"), server)
    }

    fn create(title: &str, server: String) -> Self {
        // Seeded anew for every `RandomState`: no two runs, processes or calls get the same digest.
        let digest = RandomState::new().hash_one((title, std::process::id()));
        let tail = title.rsplit("::").next().unwrap_or(title);
        let name = DatabaseName::new(digest, tail).to_string();
        S::create_database(&server, &name)
            .unwrap_or_else(|error| panic!("cannot create the database of {title}: {error}"));
        Self { url: S::database_url(&server, &name), name, server, kind: PhantomData }
    }

    /// How to connect to this database.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The name of the database.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A new connection to this database.
    pub(crate) fn connect(&self) -> S::Conn {
        S::connect(&self.url)
    }

    /// A new connection to the server, outside of this database: for what cannot be done from within.
    pub(crate) fn admin(&self) -> S::Conn {
        S::connect(&self.server)
    }

    /// Runs statements in a connection of their own, committed when this returns.
    pub(crate) fn execute(&self, statements: &str) {
        self.connect().batch_execute(statements).unwrap_or_else(|error| panic!("{statements}\n{error}"));
    }

    /// Has the server count the rows of `table`, so that it plans well.
    pub(crate) fn analyze(&self, table: &str) {
        self.execute(&S::analyze(table));
    }

    /// The one number that `query` selects, as others see it now.
    pub(crate) fn number(&self, query: &str) -> i64 {
        S::number(&mut self.connect(), query).unwrap_or_else(|error| panic!("{query}\n{error}"))
    }

    /// The one text that `query` selects, as others see it now; `None` for NULL and for no row.
    pub(crate) fn text(&self, query: &str) -> Option<String> {
        S::text(&mut self.connect(), query).unwrap_or_else(|error| panic!("{query}\n{error}"))
    }

    /// [`Server::probe`] from a fresh connection.
    pub(crate) fn probe(&self, table: &str, condition: &str) -> Held {
        S::probe(&mut self.connect(), table, condition)
    }

    /// [`Server::probe_share`] from a fresh connection.
    pub(crate) fn probe_share(&self, table: &str, condition: &str) -> Held {
        S::probe_share(&mut self.connect(), table, condition)
    }

    /// [`Server::held_keys`] from a fresh connection.
    pub(crate) fn held_keys(&self, table: &str, key: &str) -> Vec<String> {
        S::held_keys(&mut self.connect(), table, key)
    }

    /// Asserts that these rows of `table` are held and no others. Where rows are not held one by one, all are, or none.
    #[track_caller]
    pub(crate) fn assert_held(&self, table: &str, key: &str, expected: &[impl AsRef<str>]) {
        let held = self.held_keys(table, key);
        let expected: Vec<&str> = expected.iter().map(AsRef::as_ref).collect();
        assert!(Self::holds(&held, &expected), "of {table}: {held:?} and not {expected:?}");
    }

    /// Whether the rows that are held are those expected, see [`Self::assert_held`].
    pub(crate) fn holds(held: &[String], expected: &[impl AsRef<str>]) -> bool {
        let mut expected = expected.iter().map(AsRef::as_ref);
        if Self::LOCKS_ROWS || expected.len() == 0 {
            return held.iter().map(String::as_str).eq(expected);
        }
        expected.all(|key| held.iter().any(|held| held == key))
    }

    /// Asserts that no row of `table` is held beside rows of other tables that are. Where rows are not held one by one, they all are.
    #[track_caller]
    pub(crate) fn assert_free(&self, table: &str, key: &str) {
        let held = self.held_keys(table, key);
        assert_eq!(held.is_empty(), Self::LOCKS_ROWS, "of {table}: {held:?}");
    }

    /// [`Server::locks_named_tables_only`]
    pub(crate) fn locks_named_tables_only(&self) -> bool {
        S::locks_named_tables_only(&mut self.connect())
    }

    /// [`Server::fails_on_stale_rows`]
    pub(crate) fn fails_on_stale_rows(&self) -> bool {
        S::fails_on_stale_rows(&mut self.connect())
    }

    /// The deadlocks that the server has resolved in this database. Close the sessions before.
    pub(crate) fn deadlocks(&self) -> i64 {
        S::deadlocks(&mut self.connect())
    }
}

impl<S: Server> Drop for ServerArena<S> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("kept for you to look at: {}", self.url);
            return;
        }
        if let Err(error) = S::drop_database(&self.server, &self.name) {
            panic!("cannot drop the database {}: {error}", self.name);
        }
    }
}
