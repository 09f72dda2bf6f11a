//! The queries for the sessions that wait, and for those that they wait for.

use std::time::Duration;

use diesel::{
    deserialize,
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    row::Row,
    sql_types::{BigInt, Nullable, Text},
};

use super::{
    fragments::keep_out_of_cache,
    session::{SESSION_WIDTH, microseconds, select_in, session, session_columns, transaction_on_mysql},
};
use crate::{
    backend::{HasLockWaits, WaitsQuery},
    diesel_internals::{RowRef, Statement},
    waits::{Found, FoundHolder, FoundWait, LockKind},
};

impl HasLockWaits for Mysql {
    const WAITS: &'static [WaitsQuery<Mysql>] = &[
        WaitsQuery {
            about: "waits for rows, and on MariaDB all that the sessions of other users do",
            right: "needs SELECT on `performance_schema` on MySQL, PROCESS on MariaDB",
            statement: |time| Statement::new(Waits { time, from: ROWS }),
            read: found,
        },
        WaitsQuery {
            about: "waits for advisory locks and tables",
            right: "needs SELECT on `performance_schema` on MySQL, PROCESS on MariaDB",
            statement: |time| Statement::new(Waits { time, from: OTHERS }),
            read: found,
        },
        WaitsQuery {
            about: "what the server is configured to show",
            right: "needs SELECT on `performance_schema`",
            statement: |_| Statement::new(Shows),
            read: shows,
        },
    ];
}

/// Reads each wait with each session that is in its way.
struct Waits {
    time: Duration,
    from: &'static str,
}

impl QueryFragment<Mysql> for Waits {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        pass.push_sql(&select_in(self.time));
        pass.push_sql(session_columns!("waiter", "waiting"));
        pass.push_sql(", ");
        pass.push_sql(session_columns!("holder", "holding"));
        pass.push_sql(self.from);
        Ok(())
    }
}

/// The waits for [rows on MySQL][mysql] and [on MariaDB][mariadb].
///
/// MariaDB updates its information about transactions only if no session has read it for a tenth of a second. A transaction that has only
/// shared rows has the number 0 there, as all others of its kind.
///
/// [mysql]: https://dev.mysql.com/doc/refman/9.7/en/performance-schema-data-lock-waits-table.html
/// [mariadb]: https://mariadb.com/docs/server/reference/system-tables/information-schema/information-schema-tables/information-schema-innodb-tables/information-schema-innodb_lock_waits-table
const ROWS: &str = concat!(
    ", /*!80001 'row', CONCAT('`', REPLACE(`wanted`.`object_schema`, '`', '``'), '`.`', REPLACE(`wanted`.`object_name`, '`', '``'), '`'), \
     `wanted`.`index_name`, `wanted`.`lock_data`, `wanted`.`lock_mode`, CAST(`running`.`timer_wait` DIV 1000000 AS SIGNED), \
     CAST(`held`.`lock_status` = 'WAITING' AS SIGNED), 1, 0 FROM `performance_schema`.`data_lock_waits` AS `wait` \
     INNER JOIN `performance_schema`.`data_locks` AS `wanted` ON `wanted`.`engine_lock_id` = `wait`.`requesting_engine_lock_id` \
     LEFT JOIN `performance_schema`.`data_locks` AS `held` ON `held`.`engine_lock_id` = `wait`.`blocking_engine_lock_id` \
     INNER JOIN `performance_schema`.`threads` AS `waiter` ON `waiter`.`thread_id` = `wait`.`requesting_thread_id` \
     LEFT JOIN `performance_schema`.`threads` AS `holder` ON `holder`.`thread_id` = `wait`.`blocking_thread_id` \
     LEFT JOIN `performance_schema`.`events_statements_current` AS `running` ON `running`.`thread_id` = `waiter`.`thread_id` \
     AND `running`.`end_event_id` IS NULL AND `running`.`nesting_event_level` = 0 */ \
     /*M! 'row', `wanted`.`lock_table`, `wanted`.`lock_index`, `wanted`.`lock_data`, `wanted`.`lock_mode`, \
     TIMESTAMPDIFF(MICROSECOND, `waiting`.`trx_wait_started`, NOW(6)), \
     COALESCE(`holding`.`trx_requested_lock_id` = `wait`.`blocking_lock_id`, 0), 1, `wait`.`blocking_trx_id` = 0 \
     FROM (SELECT SLEEP(0.11) AS `pause`) AS `paused` STRAIGHT_JOIN `information_schema`.`innodb_lock_waits` AS `wait` \
     STRAIGHT_JOIN `information_schema`.`innodb_locks` AS `wanted` ON `wanted`.`lock_id` = `wait`.`requested_lock_id` \
     STRAIGHT_JOIN `information_schema`.`innodb_trx` AS `waiting` ON `waiting`.`trx_id` = `wait`.`requesting_trx_id` \
     AND `waiting`.`trx_requested_lock_id` = `wait`.`requested_lock_id` \
     STRAIGHT_JOIN `information_schema`.`innodb_trx` AS `holding` ON `holding`.`trx_id` = `wait`.`blocking_trx_id` \
     AND `holding`.`trx_mysql_thread_id` <> `waiting`.`trx_mysql_thread_id` AND `holding`.`trx_rows_locked` > 0 \
     STRAIGHT_JOIN `information_schema`.`processlist` AS `waiter` ON `waiter`.`id` = `waiting`.`trx_mysql_thread_id` \
     LEFT JOIN `information_schema`.`processlist` AS `holder` ON `holder`.`id` = `holding`.`trx_mysql_thread_id` */",
    transaction_on_mysql!("waiter", "waiting"),
    transaction_on_mysql!("holder", "holding"),
);

/// The waits for advisory locks and tables: [metadata locks][mysql] on MySQL. MariaDB reports the session that waits and not what for,
/// unless the statement says it.
///
/// A metadata lock of a table conflicts with another one if one of both is exclusive, or denies reads or writes. One that is wanted
/// exclusively also keeps back those that come later.
///
/// [mysql]: https://dev.mysql.com/doc/refman/9.7/en/performance-schema-metadata-locks-table.html
const OTHERS: &str = concat!(
    ", /*!80001 `wanted`.`object_type`, IF(`wanted`.`object_type` = 'USER LEVEL LOCK', NULL, CONCAT('`', \
     REPLACE(`wanted`.`object_schema`, '`', '``'), '`.`', REPLACE(`wanted`.`object_name`, '`', '``'), '`')), NULL, \
     IF(`wanted`.`object_type` = 'USER LEVEL LOCK', `wanted`.`object_name`, NULL), `wanted`.`lock_type`, \
     CAST(`running`.`timer_wait` DIV 1000000 AS SIGNED), CAST(`held`.`lock_status` = 'PENDING' AS SIGNED), 1, 0 \
     FROM `performance_schema`.`metadata_locks` AS `wanted` INNER JOIN `performance_schema`.`metadata_locks` AS `held` \
     ON `held`.`object_type` = `wanted`.`object_type` AND `held`.`object_schema` <=> `wanted`.`object_schema` \
     AND `held`.`object_name` <=> `wanted`.`object_name` AND `held`.`owner_thread_id` <> `wanted`.`owner_thread_id` \
     AND (`held`.`lock_status` = 'GRANTED' AND (`wanted`.`lock_type` = 'EXCLUSIVE' \
     OR `held`.`lock_type` IN ('EXCLUSIVE', 'SHARED_NO_READ_WRITE', 'SHARED_NO_WRITE', 'SHARED_READ_ONLY')) \
     OR `held`.`lock_status` = 'PENDING' AND `held`.`lock_type` = 'EXCLUSIVE' AND `wanted`.`lock_type` <> 'EXCLUSIVE') \
     INNER JOIN `performance_schema`.`threads` AS `waiter` ON `waiter`.`thread_id` = `wanted`.`owner_thread_id` \
     LEFT JOIN `performance_schema`.`threads` AS `holder` ON `holder`.`thread_id` = `held`.`owner_thread_id` \
     LEFT JOIN `performance_schema`.`events_statements_current` AS `running` ON `running`.`thread_id` = `waiter`.`thread_id` \
     AND `running`.`end_event_id` IS NULL AND `running`.`nesting_event_level` = 0 */ \
     /*M! IF(`waiter`.`state` = 'User lock', 'USER LEVEL LOCK', 'TABLE'), NULL, NULL, NULL, NULL, \
     CAST(`waiter`.`time_ms` * 1000 AS SIGNED), 0, 0, 0 FROM `information_schema`.`processlist` AS `waiter` \
     LEFT JOIN `information_schema`.`innodb_trx` AS `waiting` ON `waiting`.`trx_mysql_thread_id` = `waiter`.`id` \
     LEFT JOIN `information_schema`.`processlist` AS `holder` ON `holder`.`id` < 0 \
     LEFT JOIN `information_schema`.`innodb_trx` AS `holding` ON `holding`.`trx_mysql_thread_id` = `holder`.`id` */",
    transaction_on_mysql!("waiter", "waiting"),
    transaction_on_mysql!("holder", "holding"),
    " /*!80001 WHERE `wanted`.`lock_status` = 'PENDING' */ \
     /*M! WHERE `waiter`.`state` IN ('User lock', 'Waiting for table metadata lock') */",
);

/// The columns behind those of the two sessions.
mod column {
    use super::SESSION_WIDTH;

    pub(super) const KIND: usize = SESSION_WIDTH * 2;
    pub(super) const TABLE: usize = KIND + 1;
    pub(super) const INDEX: usize = KIND + 2;
    pub(super) const KEY: usize = KIND + 3;
    pub(super) const MODE: usize = KIND + 4;
    pub(super) const WAITED: usize = KIND + 5;
    pub(super) const QUEUED: usize = KIND + 6;
    /// True if the server reports who is in the way.
    pub(super) const REPORTED: usize = KIND + 7;
    /// True if the transaction in the way has no number of its own.
    pub(super) const UNNUMBERED: usize = KIND + 8;
}

fn found(row: &RowRef<'_, Mysql>) -> deserialize::Result<Found> {
    let text = |column| row.get_value::<Nullable<Text>, Option<String>, _>(column);
    let is = |column| -> deserialize::Result<bool> {
        Ok(row.get_value::<Nullable<BigInt>, Option<i64>, _>(column)?.is_some_and(|number| number != 0))
    };
    let waiter = session(&row.window(0..SESSION_WIDTH))?;
    let holder = session(&row.window(SESSION_WIDTH..SESSION_WIDTH * 2))?;
    let reported = is(column::REPORTED)?;
    let kind = match &*text(column::KIND)?.unwrap_or_default() {
        "row" => LockKind::Row,
        "USER LEVEL LOCK" => LockKind::Advisory,
        "TABLE" => LockKind::Table,
        other => LockKind::Other(other.to_lowercase()),
    };
    let limit = match (&kind, reported) {
        (LockKind::Advisory, false) => {
            Some("who holds advisory locks, and which (MariaDB tells it only by name: `AdvisoryLock::holders`)")
        }
        (_, false) => Some(
            "who uses a table that another session alters (MariaDB tells it only with the plugin METADATA_LOCK_INFO)",
        ),
        (_, true) if is(column::UNNUMBERED)? => {
            Some("which of the transactions that only share rows holds a row (MariaDB gives them no number)")
        }
        (_, true) => None,
    };
    let holder = FoundHolder { session: holder, queued: is(column::QUEUED)? };
    let wait = FoundWait {
        waiter,
        holder: reported.then_some(holder),
        kind,
        table: text(column::TABLE)?,
        index: text(column::INDEX)?,
        key: text(column::KEY)?,
        mode: text(column::MODE)?,
        waited: microseconds(row, column::WAITED)?,
    };
    Ok(Found { wait: Some(wait), limit })
}

/// Asks MySQL for the settings without which its tables are empty.
struct Shows;

impl QueryFragment<Mysql> for Shows {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        pass.push_sql(
            "SELECT /*!80001 @@performance_schema, (SELECT COUNT(*) FROM `performance_schema`.`setup_instruments` \
             WHERE `name` = 'wait/lock/metadata/sql/mdl' AND `enabled` = 'YES') */ /*M! 1, 1 */",
        );
        Ok(())
    }
}

fn shows(row: &RowRef<'_, Mysql>) -> deserialize::Result<Found> {
    let is = |column| row.get_value::<BigInt, i64, _>(column).map(|number| number != 0);
    let limit = match (is(0)?, is(1)?) {
        (false, _) => Some("all waits (`performance_schema` is off)"),
        (true, false) => {
            Some("waits for advisory locks and tables (the instrument `wait/lock/metadata/sql/mdl` is off)")
        }
        (true, true) => None,
    };
    Ok(Found { wait: None, limit })
}
