//! The deadlocks of one database: counted in the log, because the servers' own counters are for all databases together.

use diesel::{
    MysqlConnection, RunQueryDsl,
    connection::SimpleConnection,
    dsl::sql,
    sql_types::{Nullable, Text},
};

use super::{MysqlFamily, answer};
use crate::support::server::Server;

/// What both servers write before the story of each deadlock.
const DEADLOCK: &str = "ransactions deadlock detected";

/// Tells the server to write every deadlock into its log.
pub(super) fn listen(conn: &mut MysqlConnection) {
    answer("deadlocks are logged", conn.batch_execute("SET GLOBAL innodb_print_all_deadlocks = ON"));
    if !MysqlFamily::is_mariadb(conn) {
        // To it they are notes, which it leaves out by default.
        answer("notes are logged", conn.batch_execute("SET GLOBAL log_error_verbosity = 3"));
    }
}

pub(super) fn of_this_database(conn: &mut MysqlConnection) -> i64 {
    let name = answer("a name", MysqlFamily::text(conn, "SELECT database()")).expect("a database");
    let log = if MysqlFamily::is_mariadb(conn) { mariadbs_log(conn) } else { mysqls_log(conn) };
    // Every lock in such a story names its table.
    let table = format!("`{name}`.");
    let stories = log.split(DEADLOCK).skip(1).filter(|story| story.contains(&table));
    stories.count().try_into().expect("few")
}

fn mariadbs_log(conn: &mut MysqlConnection) -> String {
    let log = MysqlFamily::text(conn, "SELECT LOAD_FILE(@@log_error)");
    answer("the log", log)
        .expect("a log that the server may read: `log_error`, `secure_file_priv`, `max_allowed_packet`")
}

fn mysqls_log(conn: &mut MysqlConnection) -> String {
    let lines = "SELECT CAST(data AS CHAR) FROM performance_schema.error_log ORDER BY logged";
    let lines: Vec<Option<String>> = answer("the log", sql::<Nullable<Text>>(lines).load(conn));
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}
