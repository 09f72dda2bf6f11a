//! MySQL and MariaDB.

use crate::support::driver::MysqlBlocking as Driver;

mod commits;
#[path = "../lost_answers.rs"]
mod lost_answers;
