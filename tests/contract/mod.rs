//! What the crate promises, written once. Whoever includes it says which `Driver` it is run with.
//!
//! Each test is named after the behaviour that it holds; `tests/BEHAVIOURS.md` says which one that is.

use super::{Driver, verbs};
use crate::support::{arena::ServerArena, driver::Session, server::Server};

/// A database of a test's own, on the server of the driver.
pub(super) type Arena = ServerArena<<Driver as Session>::Server>;

/// Whether queries are asked first, see [`Server::RESOLVES_FIRST`].
const RESOLVES_FIRST: bool = <<Driver as Session>::Server as Server>::RESOLVES_FIRST;

/// So many statements were sent: what PostgreSQL needs, or at least that where queries are asked first.
fn assert_sent(sent: usize, needed: usize, what: &str) {
    let more = RESOLVES_FIRST && sent > needed;
    assert!(sent == needed || more, "{what}: {sent} statements in place of {needed}");
}

/// A name as the server of the driver wants it if it is a word of SQL.
fn quoted(name: &str) -> String {
    <Driver as Session>::Server::quoted(name)
}

pub(super) mod advisory;
mod after_waiting;
mod bad_input;
mod deadlocks;
mod errors;
pub(crate) mod faults;
mod guessable;
mod hostile_keys;
mod in_a_transaction;
mod invariants;
mod joins;
mod lock_set_composite_keys;
mod lock_set_from_queries;
mod lock_set_large;
mod lock_set_of_instances;
mod lock_set_order;
mod lock_set_stress;
mod lock_transaction;
pub(crate) mod one_row;
mod one_row_waits;
mod pick;
pub(crate) mod stale;
mod strengths;
mod transactions;
mod two_models;
pub(super) mod types;
mod unchanged;
pub(crate) mod waiting;
mod with_lock;
