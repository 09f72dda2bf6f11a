//! SQLite: what a lock means there, in both journal modes. It needs no server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::type_complexity, reason = "tables of closures")]

mod errors;
mod file;
mod nonblocking;
mod picks;
mod rolled_back;
mod sets;
mod shared_cache;
mod stress;
mod transactions;
mod waiting;
