//! MySQL and MariaDB.

mod advisory_deadlocks;
mod broken;
mod chained_clauses;
mod commits;
mod exact;
mod foreign_connections;
mod full_text;
#[path = "../helper_names.rs"]
mod helper_names;
mod holders;
mod in_time;
mod key_and_expression;
mod levels;
#[path = "../lost_answers.rs"]
mod lost_answers;
mod one_table;
#[path = "../order.rs"]
mod order;
mod raw_sql;
mod select_limit;
mod unfit_tables;
mod views;

use crate::support::{arena::ServerArena, driver::MysqlBlocking as Driver, mysql::MysqlFamily};

type Arena = ServerArena<MysqlFamily>;

/// The levels at which a set goes on when a row that it waited for has changed.
const LEVELS: [&str; 2] = ["ISOLATION LEVEL READ COMMITTED", "ISOLATION LEVEL REPEATABLE READ"];
