//! The contract over a plain `SqliteConnection`, with a rollback journal.

use crate::support::{driver::SqliteBlocking as Driver, verbs};

#[path = "../../contract/single_writer.rs"]
mod contract;
