//! The contract over an `AsyncMysqlConnection`, by the verbs of `diesel_lockset::nonblocking`.

use crate::support::nonblocking::{MysqlNonblocking as Driver, verbs};

#[path = "../contract/mod.rs"]
mod contract;

#[path = "own/mod.rs"]
mod own;
