//! MySQL and MariaDB.

mod chained_clauses;
mod full_text;
mod key_and_expression;
mod one_table;
mod raw_sql;
mod select_limit;
mod views;

use crate::support::{arena::ServerArena, driver::MysqlBlocking, mysql::MysqlFamily};

type Arena = ServerArena<MysqlFamily>;
type Driver = MysqlBlocking;
