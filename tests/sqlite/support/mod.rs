//! The part of the suite's support that knows no server, and SQLite in place of one.

#![allow(dead_code, reason = "parts of it are for servers")]

#[path = "../../support/database_name.rs"]
pub(crate) mod database_name;
#[path = "../../support/direct.rs"]
pub(crate) mod direct;
pub(crate) mod driver;
#[path = "../../support/models.rs"]
pub(crate) mod models;
pub(crate) mod nonblocking;
#[path = "../../support/patience.rs"]
pub(crate) mod patience;
#[path = "../../support/probe.rs"]
pub(crate) mod probe;
#[path = "../../support/schema.rs"]
pub(crate) mod schema;
#[path = "../../support/server.rs"]
pub(crate) mod server;
#[path = "../../support/server_arena.rs"]
mod server_arena;
#[path = "../../support/session.rs"]
mod session;
pub(crate) mod single_writer;
#[path = "../../support/statements.rs"]
pub(crate) mod statements;
#[path = "../../support/verbs.rs"]
pub(crate) mod verbs;

/// Files of a test's own.
pub(crate) mod arena {
    use super::single_writer::SqliteFile;

    pub(crate) use super::server_arena::ServerArena;

    pub(crate) type Arena = ServerArena<SqliteFile<true>>;
}
