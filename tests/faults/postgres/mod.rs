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
#[path = "../limited_migrations.rs"]
mod limited_migrations;
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
mod wrong_types;

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

/// Numbers that tell of a limit of the session's on waits for locks, beside those of [`SESSION_STATE`].
const LOCK_LIMITS: [&str; 0] = [];

/// What tells the tables of this database from those of others.
const HERE: &str = "table_schema = 'public'";

/// A statement that changes nothing, and one that waits.
const WAITS_FIRST: &str = "SET LOCAL work_mem = '8MB'; ALTER TABLE busy ADD COLUMN note integer";

/// A statement that changes something before one that waits.
const TWO_STATEMENTS: [&str; 1] = ["CREATE TABLE half (n integer); ALTER TABLE busy ADD COLUMN note integer"];

/// Scripts that commit by themselves before they wait.
const COMMITS_AND_WAITS: [&str; 3] = [
    "INSERT INTO half VALUES (1); COMMIT; BEGIN; ALTER TABLE busy ADD COLUMN note integer",
    "INSERT INTO half VALUES (1); COMMIT AND CHAIN; ALTER TABLE busy ADD COLUMN note integer",
    "INSERT INTO half VALUES (1); COMMIT; BEGIN; SET LOCAL lock_timeout = 300; ALTER TABLE busy ADD COLUMN note integer",
];

/// How often they have done it.
const TIMES: &str = "SELECT count(*) FROM half";

/// A limit on waits for locks, as it may be set for a role.
const OWN_LIMIT: &str = "SET lock_timeout = 400";

/// A statement that cannot be in a transaction, and waits for those who write.
const WITHOUT_A_TRANSACTION: &str = "CREATE INDEX CONCURRENTLY busy_id ON busy (id)";

/// A transaction that such a statement waits for.
fn writer(arena: &Arena) -> diesel::PgConnection {
    let mut conn = arena.pg();
    diesel::connection::SimpleConnection::batch_execute(&mut conn, "BEGIN; INSERT INTO busy VALUES (1)").unwrap();
    conn
}

fn make_procedure(_: &Arena) {}

/// Counts the session if it waits for a table, or for those who use it.
fn waits_for_a_table(number: i32) -> String {
    format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {number} AND wait_event_type = 'Lock'")
}

/// A request to cancel what the session of this connection does.
fn cancel_request(conn: &AsyncConn) -> impl Future<Output = ()> + Send + 'static + use<> {
    let token = conn.cancel_token();
    async move { token.cancel_query(tokio_postgres::NoTls).await.unwrap() }
}
