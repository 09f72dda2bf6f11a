//! The contract over a plain `PgConnection`.

use crate::support::{driver::Blocking as Driver, verbs};

#[path = "../contract/mod.rs"]
pub(super) mod contract;

#[path = "own/mod.rs"]
mod own;
