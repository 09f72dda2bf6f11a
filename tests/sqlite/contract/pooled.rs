//! The contract over a connection out of a pool of r2d2.

use crate::support::{driver::SqlitePooled as Driver, verbs};

#[path = "../../contract/single_writer.rs"]
mod contract;
