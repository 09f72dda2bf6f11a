//! The contract over an `AsyncPgConnection` out of a pool of `bb8`, by the verbs of `diesel_lockset::nonblocking`.

use crate::support::nonblocking::{NonblockingBb8 as Driver, verbs};

#[path = "../contract/mod.rs"]
mod contract;

#[path = "own/mod.rs"]
mod own;
