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
#[path = "../old_snapshots.rs"]
mod old_snapshots;
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

/// The levels at which no statement sees what was committed after the first one, and nobody finds out.
const OLD_SNAPSHOTS: [&str; 2] = ["ISOLATION LEVEL REPEATABLE READ", "ISOLATION LEVEL SERIALIZABLE"];

/// What stands between `SET SESSION` and a level.
const OF_SESSION: &str = "TRANSACTION";
