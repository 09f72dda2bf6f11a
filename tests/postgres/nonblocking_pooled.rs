//! The contract over an `AsyncPgConnection` out of a pool of `deadpool`, by the verbs of `diesel_lockset::nonblocking`.

use crate::support::nonblocking::{NonblockingPooled as Driver, verbs};

#[path = "../contract/mod.rs"]
mod contract;

#[path = "own/mod.rs"]
mod own;
