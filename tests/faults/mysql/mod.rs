//! MySQL and MariaDB.

mod key_and_expression;
mod one_table;
mod select_limit;
mod unfit_tables;
mod views;

use crate::support::{arena::ServerArena, driver::MysqlBlocking, mysql::MysqlFamily};

type Arena = ServerArena<MysqlFamily>;
type Driver = MysqlBlocking;
