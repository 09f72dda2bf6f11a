//! The deadlocks of one database. The servers' own counters are of no use: they are for all databases together.

use diesel::{MysqlConnection, connection::SimpleConnection};

use super::{MysqlFamily, answer};
use crate::support::server::Server;

/// MariaDB writes every deadlock into its log, and nothing else in it says in which database one was.
const ON_MARIADB: &str = "SET GLOBAL innodb_print_all_deadlocks = ON";

/// MySQL remembers its last 10,000 statements and what became of them.
const ON_MYSQL: &str = "UPDATE performance_schema.setup_consumers SET enabled = 'YES' \
                        WHERE name = 'events_statements_history_long'";

/// Tells the server to remember deadlocks from here on.
pub(super) fn listen(conn: &mut MysqlConnection) {
    let setting = if MysqlFamily::is_mariadb(conn) { ON_MARIADB } else { ON_MYSQL };
    answer("deadlocks are remembered", conn.batch_execute(setting));
}

pub(super) fn of_this_database(conn: &mut MysqlConnection) -> i64 {
    if MysqlFamily::is_mariadb(conn) {
        return in_the_log(conn);
    }
    let lost = "SELECT count(*) FROM performance_schema.events_statements_history_long \
                WHERE mysql_errno = 1213 AND current_schema = database()";
    answer("the last statements", MysqlFamily::number(conn, lost))
}

/// A server that `cargo xtask test` did not start may keep its log to itself.
const NO_LOG: &str = "this MariaDB cannot read its own log, where the deadlocks are told: `log_error` must name a file that \
                      everybody may read, `secure_file_priv` must be empty, `max_allowed_packet` larger than the log";

fn in_the_log(conn: &mut MysqlConnection) -> i64 {
    let name = answer("a name", MysqlFamily::text(conn, "SELECT database()")).expect("a database");
    let log = answer("the log", MysqlFamily::text(conn, "SELECT LOAD_FILE(@@log_error)"));
    let log = log.unwrap_or_else(|| panic!("{NO_LOG}"));
    // Every lock in the story of a deadlock names its table.
    let table = format!("`{name}`.");
    let stories = log.split("ransactions deadlock detected").skip(1).filter(|story| story.contains(&table));
    stories.count().try_into().expect("few")
}
