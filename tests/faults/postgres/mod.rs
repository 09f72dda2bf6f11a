//! PostgreSQL.

mod advisory_keys;
mod broken;
#[path = "../helper_names.rs"]
mod helper_names;
mod holders;
mod in_time;
mod standby;

use crate::support::{arena::Arena, driver::Blocking as Driver};
