//! The contract over a connection out of an `r2d2` pool.

use crate::support::{driver::MysqlPooled as Driver, verbs};

#[path = "../contract/mod.rs"]
mod contract;

#[path = "own/mod.rs"]
mod own;
