//! MySQL and MariaDB.

mod advisory_deadlocks;
#[path = "../async_migrations.rs"]
mod async_migrations;
mod broken;
#[path = "../cancelled/mod.rs"]
mod cancelled;
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
#[path = "../leader.rs"]
mod leader;
#[path = "../left_open.rs"]
mod left_open;
mod levels;
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
    mysql::MysqlFamily,
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

/// There are no advisory locks that end with a transaction.
fn own_verbs<C>() -> Vec<cancelled::verbs::Verb<C>> {
    Vec::new()
}

/// A request to cancel what the session of this connection does.
fn cancel_request(conn: &AsyncConn) -> impl Future<Output = ()> + Send + 'static + use<> {
    let token = conn.cancel_token();
    async move { token.cancel_query().await.unwrap() }
}
