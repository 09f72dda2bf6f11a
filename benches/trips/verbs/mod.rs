//! The verbs that every kind of server has.

mod advisory;
mod picks;
mod queries;
mod rows;
mod sets;
pub(crate) mod tables;
mod transactions;

use super::Conn;
use crate::{count::Verb, shared::Result};

pub(super) fn all() -> Vec<Verb<Conn>> {
    [transactions::verbs(), rows::verbs(), sets::verbs(), queries::verbs(), picks::verbs(), advisory::verbs()]
        .into_iter()
        .flatten()
        .collect()
}

/// A verb that is called in a transaction.
fn inside(name: &'static str, rows: usize, call: fn(&mut Conn) -> Result<usize>) -> Verb<Conn> {
    Verb { name, in_transaction: true, rows, call }
}

/// A verb that is called outside of a transaction.
fn outside(name: &'static str, rows: usize, call: fn(&mut Conn) -> Result<usize>) -> Verb<Conn> {
    Verb { name, in_transaction: false, rows, call }
}
