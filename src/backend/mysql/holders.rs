//! The query for the sessions that hold the rows that a set requests.

use std::time::Duration;

use diesel::{
    deserialize,
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    row::Row,
    sql_types::{BigInt, Nullable, Text},
};

use super::fragments::keep_out_of_cache;
use crate::{diesel_internals::RowRef, error::Holder};

/// Reads the sessions whose transactions hold row locks.
///
/// On MySQL these are locks on this table, as `performance_schema.data_locks` reports. MariaDB does not report the table. There the answer
/// has the sessions that hold row locks, are connected to this database, and do not wait for a lock.
pub(super) struct Holders<'q> {
    pub(super) table: &'q str,
    pub(super) time: Duration,
}

impl QueryFragment<Mysql> for Holders<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        let time = self.time.as_millis().max(1);
        pass.push_sql(&format!(
            "/*M! SET STATEMENT max_statement_time = {}.{:03} FOR */ SELECT /*+ MAX_EXECUTION_TIME({time}) */ ",
            time / 1000,
            time % 1000
        ));
        pass.push_sql(HOLDER);
        pass.push_sql(" FROM (SELECT ");
        pass.push_bind_param::<Text, str>(self.table)?;
        // MariaDB updates its information about transactions only if no session has read it for a tenth of a second.
        pass.push_sql(
            " AS `name` /*M! , SLEEP(0.11) AS `pause` */) AS `wanted` STRAIGHT_JOIN \
             /*!80001 (SELECT DISTINCT `thread_id`, `object_name` FROM `performance_schema`.`data_locks` \
             WHERE `object_schema` = DATABASE() AND `lock_type` = 'RECORD' AND `lock_status` = 'GRANTED') AS `held` \
             ON `held`.`object_name` = `wanted`.`name` INNER JOIN `performance_schema`.`threads` AS `session` \
             ON `session`.`thread_id` = `held`.`thread_id` */ \
             /*M! `information_schema`.`innodb_trx` AS `trx` STRAIGHT_JOIN `information_schema`.`processlist` AS `session` \
             ON `session`.`id` = `trx_mysql_thread_id` */",
        );
        pass.push_sql(TRANSACTION_ON_MYSQL);
        pass.push_sql(
            " WHERE /*!80001 `session`.`processlist_id` <> CONNECTION_ID() ORDER BY `session`.`processlist_id` */ \
             /*M! `session`.`id` <> CONNECTION_ID() AND `trx_rows_locked` > 0 AND `trx_state` <> 'LOCK WAIT' \
             AND `session`.`db` <=> DATABASE() ORDER BY `session`.`id` */",
        );
        Ok(())
    }
}

/// The columns about a `session` and its transaction.
///
/// On MySQL they come from tables of `performance_schema`. As long as any session of the server runs a statement with a four-byte character
/// in it, a session that reads `processlist` or `innodb_trx` gets error 3854 (seen on 9.7).
pub(super) const HOLDER: &str = "/*!80001 CAST(`session`.`processlist_id` AS SIGNED), \
     CONCAT(`session`.`processlist_user`, '@', `session`.`processlist_host`), `session`.`processlist_command`, \
     CAST(`trx`.`timer_wait` DIV 1000000 AS SIGNED), `session`.`processlist_info` */ \
     /*M! `session`.`id`, CONCAT(`session`.`user`, '@', `session`.`host`), `session`.`command`, \
     TIMESTAMPDIFF(MICROSECOND, `trx_started`, NOW(6)), COALESCE(`trx_query`, `session`.`info`) */";

/// The join with the transaction of the `session`, on MySQL.
pub(super) const TRANSACTION_ON_MYSQL: &str = " /*!80001 LEFT JOIN `performance_schema`.`events_transactions_current` AS `trx` \
     ON `trx`.`thread_id` = `session`.`thread_id` AND `trx`.`state` = 'ACTIVE' */";

/// Reads a holder from a row with the columns of [`HOLDER`].
pub(super) fn holder(row: &RowRef<'_, Mysql>) -> deserialize::Result<Holder> {
    let age = row.get_value::<Nullable<BigInt>, Option<i64>, _>(3)?;
    Ok(Holder {
        session: i32::try_from(row.get_value::<BigInt, i64, _>(0)?)?,
        application: row.get_value::<Nullable<Text>, Option<String>, _>(1)?.unwrap_or_default(),
        state: row.get_value::<Nullable<Text>, Option<String>, _>(2)?,
        transaction_age: age.map(|microseconds| Duration::from_micros(microseconds.unsigned_abs())),
        statement: row.get_value::<Nullable<Text>, Option<String>, _>(4)?,
    })
}
