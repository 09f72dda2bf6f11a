//! One database per test: copied from the template, dropped when the test succeeds, kept when it panics.

use std::{
    hash::{BuildHasher, RandomState},
    thread,
};

use diesel::{
    PgConnection, QueryResult, RunQueryDsl,
    connection::SimpleConnection,
    dsl::sql,
    sql_types::{BigInt, Nullable, Text},
};

use super::{
    database_name::DatabaseName,
    probe::{self, Held},
    server, template,
};

/// A database of a test's own, with the fixtures of `migrations/postgres` in it.
#[derive(Debug)]
pub(crate) struct Arena {
    name: String,
    url: String,
    server: String,
}

impl Arena {
    /// An arena for the running test, whose name libtest gives to the thread.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::named(thread::current().name().unwrap_or("unnamed"))
    }

    /// An arena for `title`. Two of one title are two arenas.
    #[must_use]
    pub(crate) fn named(title: &str) -> Self {
        Self::create(title, server::url(), template::name())
    }

    /// An arena for the running test on another server than the usual one, filled without a template.
    #[must_use]
    pub(crate) fn on(server: String) -> Self {
        let arena = Self::create(thread::current().name().unwrap_or("unnamed"), server, "template0");
        template::fill(arena.url());
        arena
    }

    fn create(title: &str, server: String, template: &str) -> Self {
        // Seeded anew for every `RandomState`: no two runs, processes or calls get the same digest.
        let digest = RandomState::new().hash_one((title, std::process::id()));
        let tail = title.rsplit("::").next().unwrap_or(title);
        let name = DatabaseName::new(digest, tail).to_string();

        let mut maintenance = server::connect(&server);
        maintenance
            .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"))
            .unwrap_or_else(|error| panic!("cannot create the database of {title}: {error}"));
        // Deadlocks are found sooner. Only a superuser may say so; for others the tests take longer, with the same result.
        let _ = maintenance.batch_execute(&format!("ALTER DATABASE {name} SET deadlock_timeout = '200ms'"));

        let url = server::with_database(&server, &name);
        Self { name, url, server }
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
    pub(crate) fn pg(&self) -> PgConnection {
        server::connect(&self.url)
    }

    /// A new connection to the server, outside of this database: for what cannot be done from within.
    pub(crate) fn admin(&self) -> PgConnection {
        server::connect(&self.server)
    }

    /// Runs statements in a connection of their own, committed when this returns.
    pub(crate) fn execute(&self, statements: &str) {
        self.pg().batch_execute(statements).unwrap_or_else(|error| panic!("{statements}\n{error}"));
    }

    /// The one number that `query` selects, as others see it now.
    pub(crate) fn number(&self, query: &str) -> i64 {
        let answer: QueryResult<i64> = sql::<BigInt>(&format!("SELECT ({query})::bigint")).get_result(&mut self.pg());
        answer.unwrap_or_else(|error| panic!("{query}\n{error}"))
    }

    /// The one text that `query` selects, as others see it now; `None` for NULL and for no row.
    pub(crate) fn text(&self, query: &str) -> Option<String> {
        let answer: QueryResult<Option<String>> =
            sql::<Nullable<Text>>(&format!("SELECT ({query})::text")).get_result(&mut self.pg());
        answer.unwrap_or_else(|error| panic!("{query}\n{error}"))
    }

    /// [`probe::probe`] from a fresh connection.
    pub(crate) fn probe(&self, table: &str, condition: &str) -> Held {
        probe::probe(&mut self.pg(), table, condition)
    }

    /// [`probe::probe_share`] from a fresh connection.
    pub(crate) fn probe_share(&self, table: &str, condition: &str) -> Held {
        probe::probe_share(&mut self.pg(), table, condition)
    }

    /// [`probe::held_keys`] from a fresh connection.
    pub(crate) fn held_keys(&self, table: &str, key: &str) -> Vec<String> {
        probe::held_keys(&mut self.pg(), table, key)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("kept for you to look at: {}", self.url);
            return;
        }
        let dropped = self.admin().batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        if let Err(error) = dropped {
            panic!("cannot drop the database {}: {error}", self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use diesel::connection::SimpleConnection;

    use super::Arena;
    use crate::support::{database_name::DatabaseName, server};

    fn exists(name: &str) -> bool {
        Arena::new().number(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'")) == 1
    }

    #[test]
    fn every_arena_starts_from_the_fixtures() {
        let (one, other) = (Arena::new(), Arena::new());
        one.execute("UPDATE accounts SET balance = 99 WHERE id = 1; DELETE FROM accounts WHERE id = 2");
        assert_eq!(one.number("SELECT balance FROM accounts WHERE id = 1"), 99);
        assert_eq!(other.number("SELECT balance FROM accounts WHERE id = 1"), 10);
        assert_eq!(other.text("SELECT owner FROM accounts WHERE id = 2").as_deref(), Some("ben"));
        assert_eq!(one.text("SELECT owner FROM accounts WHERE id = 2"), None);
    }

    #[test]
    fn it_is_named_after_the_test() {
        let arena = Arena::named("some::path::to_the_test");
        let name = DatabaseName::parse(arena.name()).expect("a name that the sweep knows");
        assert_eq!(name.tail(), "to_the_test");
    }

    #[test]
    fn it_is_dropped_on_success_although_somebody_is_still_connected() {
        let arena = Arena::new();
        let name = arena.name().to_owned();
        let _straggler = arena.pg();
        assert!(exists(&name));
        drop(arena);
        assert!(!exists(&name));
    }

    #[test]
    fn it_is_kept_on_panic() {
        let arena = Arena::new();
        let name = arena.name().to_owned();
        let _ = catch_unwind(AssertUnwindSafe(move || {
            let _in_the_failing_test = arena;
            panic!("on purpose");
        }));
        assert!(exists(&name));
        server::connect(&server::url()).batch_execute(&format!("DROP DATABASE {name}")).expect("nobody is in it");
    }
}
