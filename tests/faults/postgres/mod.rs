//! PostgreSQL.

mod advisory_guards;
mod advisory_keys;
mod broken;
mod chained_clauses;
mod commits;
mod computed_columns;
mod error_types;
mod exact;
mod foreign_connections;
#[path = "../helper_names.rs"]
mod helper_names;
mod holders;
mod in_time;
mod inheritance;
mod joins;
mod key_types;
mod linear;
#[path = "../lost_answers.rs"]
mod lost_answers;
mod many_queries;
mod moved_partitions;
#[path = "../old_snapshots.rs"]
mod old_snapshots;
mod one_table;
#[path = "../order.rs"]
mod order;
mod raw_sql;
mod refused_changes;
mod row_security;
mod standby;
mod views;
mod whole;

use crate::support::{arena::Arena, driver::Blocking as Driver};

/// The levels at which a set goes on when a row that it waited for has changed.
const LEVELS: [&str; 1] = ["ISOLATION LEVEL READ COMMITTED"];

/// The levels at which no statement sees what was committed after the first one, and nobody finds out.
const OLD_SNAPSHOTS: [&str; 1] = ["ISOLATION LEVEL REPEATABLE READ"];

/// What stands between `SET SESSION` and a level.
const OF_SESSION: &str = "CHARACTERISTICS AS TRANSACTION";
