//! MySQL and MariaDB.

mod advisory_deadlocks;
mod broken;
#[path = "../helper_names.rs"]
mod helper_names;
mod holders;
mod in_time;

use crate::support::{arena::ServerArena, driver::MysqlBlocking as Driver, mysql::MysqlFamily};

type Arena = ServerArena<MysqlFamily>;
