//! The contract over an `AsyncPgConnection`, by the verbs of `diesel_lockset::nonblocking`.

use crate::support::nonblocking::{Nonblocking as Driver, verbs};

#[path = "../contract/mod.rs"]
mod contract;

#[path = "own/mod.rs"]
mod own;
