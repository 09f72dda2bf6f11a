//! Who holds the rows that a set wants?

use std::time::Duration;

use diesel::{
    deserialize,
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    row::Row,
    sql_types::{BigInt, Nullable, Text},
};

use super::words::keep_out_of_cache;
use crate::{diesel_internals::RowRef, error::Holder};

/// The sessions whose transactions hold row locks: on MySQL of this table, as `performance_schema.data_locks` tells; on MariaDB,
/// which does not tell of which, those that are connected to this database and wait for nobody.
pub(super) struct Holders<'q> {
    pub(super) table: &'q str,
}

impl QueryFragment<Mysql> for Holders<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        pass.push_sql(SELECT_HOLDER);
        pass.push_sql(" FROM (SELECT ");
        pass.push_bind_param::<Text, str>(self.table)?;
        // What is told of transactions is up to a tenth of a second old, unless nobody asks for so long.
        pass.push_sql(
            " AS `name`, SLEEP(0.11) AS `pause`) AS `wanted` STRAIGHT_JOIN `information_schema`.`innodb_trx` AS `trx` \
             STRAIGHT_JOIN `information_schema`.`processlist` AS `session` ON `session`.`id` = `trx_mysql_thread_id` \
             WHERE `trx_mysql_thread_id` <> CONNECTION_ID() AND `trx_rows_locked` > 0 \
             /*M! AND `trx_state` <> 'LOCK WAIT' AND `session`.`db` <=> DATABASE() */ \
             /*!80001 AND EXISTS (SELECT 1 FROM `performance_schema`.`data_locks` WHERE `engine_transaction_id` = `trx_id` \
             AND `object_schema` = DATABASE() AND `object_name` = `wanted`.`name` AND `lock_type` = 'RECORD' \
             AND `lock_status` = 'GRANTED') */ ORDER BY `session`.`id`",
        );
        Ok(())
    }
}

/// What is told of a `session` and its transaction.
pub(super) const SELECT_HOLDER: &str = "SELECT `session`.`id`, CONCAT(`session`.`user`, '@', `session`.`host`), \
                                        `session`.`command`, TIMESTAMPDIFF(MICROSECOND, `trx_started`, NOW(6)), \
                                        COALESCE(`trx_query`, `session`.`info`)";

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
