//! MySQL and MariaDB.

use diesel::MysqlConnection as Conn;

const ANALYZE: &str = "ANALYZE TABLE accounts";

#[path = "cases.rs"]
pub(super) mod cases;
