//! What the crate promises, written once. Whoever includes it says which `Driver` it is run with.
//!
//! Each test is named after the behaviour that it holds; `tests/BEHAVIOURS.md` says which one that is.

use super::{Driver, verbs};

mod common;

pub(super) use self::common::Arena;
use self::common::{RESOLVES_FIRST, assert_nothing_sent, assert_sent, quoted};

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
mod lock_set_order_of_composite_keys;
mod lock_set_stress;
mod lock_sets_at_once;
mod lock_transaction;
mod lost_updates;
pub(crate) mod one_row;
mod one_row_waits;
mod pick;
mod read_only;
mod row_by_row;
pub(crate) mod stale;
mod strengths;
mod transactions;
mod transactions_beside_others;
mod two_models;
pub(super) mod types;
mod unchanged;
pub(crate) mod waiting;
mod with_lock;
mod with_lock_lost;
