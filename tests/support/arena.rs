//! Databases of a test's own, on PostgreSQL if nothing else is said.

use diesel::PgConnection;

use super::postgres::Postgres;

pub(crate) use super::server_arena::ServerArena;

/// A database of a test's own on PostgreSQL.
pub(crate) type Arena = ServerArena<Postgres>;

impl Arena {
    /// A new connection to this database.
    pub(crate) fn pg(&self) -> PgConnection {
        self.connect()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use diesel::connection::SimpleConnection;

    use super::Arena;
    use crate::support::{database_name::DatabaseName, postgres::Postgres, server::Server};

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
        Postgres::connect(&Postgres::url()).batch_execute(&format!("DROP DATABASE {name}")).expect("nobody is in it");
    }
}
