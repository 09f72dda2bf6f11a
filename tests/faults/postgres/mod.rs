//! PostgreSQL.

mod advisory_guards;
mod advisory_keys;
#[path = "../async_migrations.rs"]
mod async_migrations;
mod broken;
#[path = "../cancelled/mod.rs"]
mod cancelled;
mod cancelled_own;
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
#[path = "../leader.rs"]
mod leader;
#[path = "../left_open.rs"]
mod left_open;
mod linear;
#[path = "../lost_answers.rs"]
mod lost_answers;
mod many_queries;
mod moved_partitions;
mod not_sent;
#[path = "../old_snapshots.rs"]
mod old_snapshots;
mod one_table;
#[path = "../order.rs"]
mod order;
mod raw_sql;
mod refused_changes;
#[path = "../registry.rs"]
mod registry;
mod row_security;
#[path = "../session_state.rs"]
mod session_state;
mod standby;
#[path = "../text_cache.rs"]
mod text_cache;
mod views;
mod whole;

use diesel_async::AsyncPgConnection as AsyncConn;

use self::cancelled_own::own_verbs;
use crate::support::{arena::Arena, driver::Blocking as Driver};

/// The levels at which a set goes on when a row that it waited for has changed.
const LEVELS: [&str; 1] = ["ISOLATION LEVEL READ COMMITTED"];

/// The levels at which no statement sees what was committed after the first one, and nobody finds out.
const OLD_SNAPSHOTS: [&str; 1] = ["ISOLATION LEVEL REPEATABLE READ"];

/// What stands between `SET SESSION` and a level.
const OF_SESSION: &str = "CHARACTERISTICS AS TRANSACTION";

/// Numbers that tell of a transaction, a setting or a lock of the session's.
const SESSION_STATE: [&str; 4] = [
    "SELECT setting::bigint FROM pg_settings WHERE name = 'statement_timeout'",
    "SELECT setting::bigint FROM pg_settings WHERE name = 'lock_timeout'",
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    // Outside of a transaction, each statement is one of its own.
    "SELECT (now() = statement_timestamp())::int::bigint",
];

/// A piece of the question whether this session holds a lock.
const IS_MINE: &str = "pg_catalog.pg_backend_pid() AND";

/// A request to cancel what the session of this connection does.
fn cancel_request(conn: &AsyncConn) -> impl Future<Output = ()> + Send + 'static + use<> {
    let token = conn.cancel_token();
    async move { token.cancel_query(tokio_postgres::NoTls).await.unwrap() }
}
