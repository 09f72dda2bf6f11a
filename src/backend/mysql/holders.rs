//! The query for the sessions that hold the rows that a set requests.

use std::time::Duration;

use diesel::{
    deserialize,
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    row::Row,
    sql_types::{BigInt, Text},
};

use super::{
    fragments::keep_out_of_cache,
    session::{SESSION_WIDTH, select_in, session, session_columns, transaction_on_mysql},
};
use crate::{
    diesel_internals::RowRef,
    error::{Evidence, Holder},
    sql::TableName,
};

/// Reads the sessions whose transactions hold row locks.
///
/// On MySQL these are locks on this table, as `performance_schema.data_locks` reports. MariaDB does not report the table. There the answer
/// has the sessions that hold row locks, are connected to this database, and do not wait for a lock.
pub(super) struct Holders<'q> {
    pub(super) table: &'q TableName,
    pub(super) time: Duration,
}

impl QueryFragment<Mysql> for Holders<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        pass.push_sql(&select_in(self.time));
        pass.push_sql(HOLDER);
        pass.push_sql(IS_OF_THE_TABLE);
        pass.push_sql(" FROM (SELECT ");
        match self.table.schema() {
            Some(schema) => pass.push_bind_param::<Text, str>(schema)?,
            None => pass.push_sql("DATABASE()"),
        }
        pass.push_sql(" AS `schema`, ");
        pass.push_bind_param::<Text, str>(self.table.bare())?;
        // MariaDB updates its information about transactions only if no session has read it for a tenth of a second.
        pass.push_sql(
            " AS `name` /*M! , SLEEP(0.11) AS `pause` */) AS `wanted` STRAIGHT_JOIN \
             /*!80001 (SELECT DISTINCT `thread_id`, `object_schema`, `object_name` FROM `performance_schema`.`data_locks` \
             WHERE `lock_type` = 'RECORD' AND `lock_status` = 'GRANTED') AS `held` \
             ON `held`.`object_schema` = `wanted`.`schema` AND `held`.`object_name` = `wanted`.`name` INNER JOIN `performance_schema`.`threads` AS `session` \
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

/// The columns about a `session` and its transaction `trx`.
pub(super) const HOLDER: &str = session_columns!("session", "trx");

/// The join with the transaction `trx` of the `session`, on MySQL.
pub(super) const TRANSACTION_ON_MYSQL: &str = transaction_on_mysql!("session", "trx");

/// Whether the lock of a holder is one of the table, behind these columns.
const IS_OF_THE_TABLE: &str = ", /*!80001 1 */ /*M! 0 */";

/// Reads the holder of a row.
pub(super) fn row_holder(row: &RowRef<'_, Mysql>) -> deserialize::Result<Holder> {
    let of_the_table = row.get_value::<BigInt, i64, _>(SESSION_WIDTH)? != 0;
    Ok(Holder::new(session(row)?, if of_the_table { Evidence::OneOfAll } else { Evidence::OneOfSome })?)
}

/// Reads the holder of an advisory lock, from a row with the columns of [`HOLDER`].
pub(super) fn holder(row: &RowRef<'_, Mysql>) -> deserialize::Result<Holder> {
    Ok(Holder::new(session(row)?, Evidence::Told)?)
}
