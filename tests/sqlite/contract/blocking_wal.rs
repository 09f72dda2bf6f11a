//! The contract over a plain `SqliteConnection`, with a write-ahead log.

use crate::support::{driver::SqliteBlockingWal as Driver, verbs};

#[path = "../../contract/single_writer.rs"]
mod contract;
