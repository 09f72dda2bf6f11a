//! SQLite: what a lock means there, in both journal modes. It needs no server.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::duplicate_mod, reason = "the contract is included once for each driver")]
#![allow(clippy::type_complexity, reason = "tables of closures")]

mod commits;
mod contract;
mod errors;
mod file;
mod isolation;
mod nonblocking;
mod picks;
mod rolled_back;
mod sets;
mod shared_cache;
mod statements;
mod stress;
mod support;
mod transactions;
mod waiting;
