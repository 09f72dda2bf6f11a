//! What every test of the suite stands on: a server, a database of its own, sessions, and questions about locks.
//!
//! Nothing here knows the crate under test, except [`models`], whose structs derive its trait.

#![allow(dead_code, reason = "each part of the suite uses what it needs")]

pub(crate) mod arena;
pub(crate) mod database_name;
pub(crate) mod direct;
pub(crate) mod driver;
#[cfg(test)]
mod fixtures;
pub(crate) mod models;
pub(crate) mod mysql;
pub(crate) mod nonblocking;
pub(crate) mod patience;
pub(crate) mod postgres;
pub(crate) mod probe;
pub(crate) mod proxy;
pub(crate) mod schema;
pub(crate) mod server;
pub(crate) mod server_arena;
pub(crate) mod session;
pub(crate) mod statements;
pub(crate) mod verbs;
