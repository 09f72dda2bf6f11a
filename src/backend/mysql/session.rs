//! The columns that describe a session, and their reader, for all queries about sessions.

use std::time::Duration;

use diesel::{
    deserialize,
    mysql::Mysql,
    row::Row,
    sql_types::{BigInt, Nullable, Text},
};

use crate::{diesel_internals::RowRef, session::LockSession};

/// The columns about a session and its transaction.
///
/// On MySQL they come from tables of `performance_schema`. As long as any session of the server runs a statement with a four-byte character
/// in it, a session that reads `processlist` or `innodb_trx` gets error 3854 (seen on 9.7).
macro_rules! session_columns {
    ($session:literal, $trx:literal) => {
        concat!(
            "/*!80001 CAST(`",
            $session,
            "`.`processlist_id` AS SIGNED), CONCAT(`",
            $session,
            "`.`processlist_user`, '@', `",
            $session,
            "`.`processlist_host`), `",
            $session,
            "`.`processlist_db`, `",
            $session,
            "`.`processlist_command`, CAST(`",
            $session,
            "`.`processlist_time` AS SIGNED) * 1000000, CAST(`",
            $trx,
            "`.`timer_wait` DIV 1000000 AS SIGNED), COALESCE(`",
            $session,
            "`.`processlist_info`, (SELECT `sql_text` FROM `performance_schema`.`events_statements_current` AS `last` \
            WHERE `last`.`thread_id` = `",
            $session,
            "`.`thread_id` ORDER BY `event_id` DESC LIMIT 1)) */ \
            /*M! CAST(`",
            $session,
            "`.`id` AS SIGNED), CONCAT(`",
            $session,
            "`.`user`, '@', `",
            $session,
            "`.`host`), `",
            $session,
            "`.`db`, `",
            $session,
            "`.`command`, CAST(`",
            $session,
            "`.`time_ms` * 1000 AS SIGNED), TIMESTAMPDIFF(MICROSECOND, `",
            $trx,
            "`.`trx_started`, NOW(6)), COALESCE(`",
            $trx,
            "`.`trx_query`, `",
            $session,
            "`.`info`) */"
        )
    };
}
pub(super) use session_columns;

/// The join with the transaction of a session, on MySQL.
macro_rules! transaction_on_mysql {
    ($session:literal, $trx:literal) => {
        concat!(
            " /*!80001 LEFT JOIN `performance_schema`.`events_transactions_current` AS `",
            $trx,
            "` ON `",
            $trx,
            "`.`thread_id` = `",
            $session,
            "`.`thread_id` AND `",
            $trx,
            "`.`state` = 'ACTIVE' */"
        )
    };
}
pub(super) use transaction_on_mysql;

/// The number of these columns.
pub(super) const SESSION_WIDTH: usize = 7;

/// Writes the beginning of a query that ends after this time: on MySQL by a [hint][mysql], on MariaDB by a [variable][mariadb] for this
/// statement.
///
/// [mysql]: https://dev.mysql.com/doc/refman/9.7/en/optimizer-hints.html#optimizer-hints-execution-time
/// [mariadb]: https://mariadb.com/docs/server/reference/sql-statements/administrative-sql-statements/set-commands/set-statement
pub(super) fn select_in(time: Duration) -> String {
    let time = time.as_millis().max(1);
    let (seconds, rest) = (time / 1000, time % 1000);
    format!(
        "/*M! SET STATEMENT max_statement_time = {seconds}.{rest:03} FOR */ SELECT /*+ MAX_EXECUTION_TIME({time}) */ "
    )
}

/// Reads these columns. All are NULL if the session is not known.
pub(super) fn session(row: &RowRef<'_, Mysql>) -> deserialize::Result<LockSession> {
    let text = |i| row.get_value::<Nullable<Text>, Option<String>, _>(i);
    Ok(LockSession {
        id: row.get_value::<Nullable<BigInt>, Option<i64>, _>(0)?.unwrap_or_default(),
        user: text(1)?.unwrap_or_default(),
        application: String::new(),
        database: text(2)?,
        state: text(3)?,
        state_age: microseconds(row, 4)?,
        transaction_age: microseconds(row, 5)?,
        statement: text(6)?,
    })
}

/// Reads a number of microseconds. The clocks of a server differ by a little: a negative number is zero.
pub(super) fn microseconds(row: &RowRef<'_, Mysql>, column: usize) -> deserialize::Result<Option<Duration>> {
    let microseconds = row.get_value::<Nullable<BigInt>, Option<i64>, _>(column)?;
    Ok(microseconds.map(|microseconds| Duration::from_micros(u64::try_from(microseconds).unwrap_or_default())))
}
