//! The contract over a plain `MysqlConnection`.

use crate::support::{driver::MysqlBlocking as Driver, verbs};

#[path = "../contract/mod.rs"]
pub(super) mod contract;

#[path = "own/mod.rs"]
mod own;
