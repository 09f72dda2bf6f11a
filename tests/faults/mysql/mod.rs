//! MySQL and MariaDB.

mod advisory_deadlocks;
#[path = "../async_migrations.rs"]
mod async_migrations;
mod broken;
#[path = "../cancelled/mod.rs"]
mod cancelled;
mod chained_clauses;
mod commits;
mod empty_reads;
mod exact;
mod foreign_connections;
mod full_text;
#[path = "../helper_names.rs"]
mod helper_names;
mod holders;
mod in_time;
mod kept;
mod key_and_expression;
#[path = "../leader.rs"]
mod leader;
#[path = "../left_open.rs"]
mod left_open;
mod levels;
#[path = "../limited_migrations.rs"]
mod limited_migrations;
#[path = "../lost_answers.rs"]
mod lost_answers;
#[path = "../old_snapshots.rs"]
mod old_snapshots;
mod one_table;
#[path = "../order.rs"]
mod order;
mod raw_sql;
#[path = "../registry.rs"]
mod registry;
mod select_limit;
mod session_settings;
#[path = "../session_state.rs"]
mod session_state;
#[path = "../text_cache.rs"]
mod text_cache;
mod unfit_tables;
mod views;

use diesel_async::AsyncMysqlConnection as AsyncConn;

use crate::support::{
    arena::ServerArena,
    driver::MysqlBlocking as Driver,
    mysql::{MysqlFamily, SESSIONS},
};

type Arena = ServerArena<MysqlFamily>;

/// The levels at which a set goes on when a row that it waited for has changed.
const LEVELS: [&str; 2] = ["ISOLATION LEVEL READ COMMITTED", "ISOLATION LEVEL REPEATABLE READ"];

/// The levels at which no statement sees what was committed after the first one, and nobody finds out.
const OLD_SNAPSHOTS: [&str; 2] = ["ISOLATION LEVEL REPEATABLE READ", "ISOLATION LEVEL SERIALIZABLE"];

/// What stands between `SET SESSION` and a level.
const OF_SESSION: &str = "TRANSACTION";

/// Numbers that tell of a transaction, a setting or a lock of the session's.
const SESSION_STATE: [&str; 5] = [
    "SELECT CAST(@@autocommit AS SIGNED)",
    "SELECT /*!80000 @@max_execution_time */ /*M! CAST(@@max_statement_time * 1000 AS SIGNED) */",
    "SELECT CAST(@@lock_wait_timeout AS SIGNED)",
    "SELECT @diesel_lockset_isolation IS NOT NULL",
    "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = connection_id()",
];

/// A piece of the question whether this session holds a lock.
const IS_MINE: &str = "<=> CONNECTION_ID()";

/// Numbers that tell of a limit of the session's on waits for locks, beside those of [`SESSION_STATE`].
const LOCK_LIMITS: [&str; 2] = [
    "SELECT CAST(@@innodb_lock_wait_timeout AS SIGNED)",
    "SELECT @diesel_lockset_migration_wait IS NULL AND @diesel_lockset_migration_row_wait IS NULL",
];

/// What tells the tables of this database from those of others.
const HERE: &str = "table_schema = DATABASE()";

/// A statement that waits, behind one that is not counted.
const WAITS_FIRST: &str = "SET @note = 1; ALTER TABLE busy ADD COLUMN note integer";

/// A statement that changes something before one that waits, also where a procedure has both.
const TWO_STATEMENTS: [&str; 4] = [
    "CREATE TABLE half (n integer); ALTER TABLE busy ADD COLUMN note integer",
    "CALL make_both()",
    "SET @half = 'CREATE TABLE half (n integer)'; PREPARE half FROM @half; EXECUTE half; ALTER TABLE busy ADD COLUMN note integer",
    "CREATE TABLE half AS SELECT 1 AS n; ALTER TABLE busy ADD COLUMN note integer",
];

/// A statement that commits, and one that waits and changes nothing.
const COMMITS_AND_WAITS: [&str; 1] = ["ALTER TABLE half ADD INDEX (n); SELECT id FROM busy FOR UPDATE"];

/// How often they have done it.
const TIMES: &str = "SELECT count(DISTINCT index_name) FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'half'";

/// The limit is that of the migration.
const OWN_LIMIT: &str = "SET @note = 1";

/// A statement that waits for those who read or write.
const WITHOUT_A_TRANSACTION: &str = "ALTER TABLE busy ADD COLUMN note integer";

/// A transaction that such a statement waits for.
fn writer(arena: &Arena) -> diesel::MysqlConnection {
    let mut conn = arena.connect();
    diesel::connection::SimpleConnection::batch_execute(&mut conn, "BEGIN; INSERT INTO busy VALUES (1)").unwrap();
    conn
}

/// Counts the session if it waits for a table.
fn waits_for_a_table(number: i32) -> String {
    format!("SELECT count(*) FROM {SESSIONS} WHERE id = {number} AND state = 'Waiting for table metadata lock'")
}

fn make_procedure(arena: &Arena) {
    arena.execute(
        "CREATE PROCEDURE make_both() BEGIN CREATE TABLE half (n integer); ALTER TABLE busy ADD COLUMN note integer; END",
    );
}

/// There are no advisory locks that end with a transaction.
fn own_verbs<C>() -> Vec<cancelled::verbs::Verb<C>> {
    Vec::new()
}

/// A request to cancel what the session of this connection does.
fn cancel_request(conn: &AsyncConn) -> impl Future<Output = ()> + Send + 'static + use<> {
    let token = conn.cancel_token();
    async move { token.cancel_query().await.unwrap() }
}
