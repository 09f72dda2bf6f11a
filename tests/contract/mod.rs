//! What the crate promises, written once. Whoever includes it says which `Driver` it is run with.
//!
//! Each test is named after the behaviour that it holds; `tests/BEHAVIOURS.md` says which one that is.

use super::Driver;

mod deadlocks;
mod errors;
mod in_a_transaction;
mod one_row;
mod one_row_waits;
mod strengths;
mod waiting;
mod with_lock;
