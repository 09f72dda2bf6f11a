//! The time limit of a call, by the limit on a statement that each server has: [`max_execution_time`][mysql] on MySQL,
//! [`max_statement_time`][mariadb] on MariaDB.
//!
//! `innodb_lock_wait_timeout` would be the obvious setting, but it counts whole seconds, and each wait by itself: a statement that waits
//! for four rows in turn may take four times as long. [`lock_wait_timeout`][metadata], which bounds the wait for a table that another
//! session alters, counts whole seconds too, but there is no other setting for that wait.
//!
//! [metadata]: https://dev.mysql.com/doc/refman/9.7/en/server-system-variables.html#sysvar_lock_wait_timeout
//! [mysql]: https://dev.mysql.com/doc/refman/9.7/en/server-system-variables.html#sysvar_max_execution_time
//! [mariadb]: https://mariadb.com/docs/server/server-management/variables-and-modes/server-system-variables#max_statement_time

use std::time::Duration;

use diesel::{
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use crate::{
    backend::{Clock, Response, Step},
    diesel_internals::Statement,
};

/// The clock of MySQL and MariaDB. The server keeps the earlier settings in variables of the session, and restores them from there.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct MysqlClock {
    limited: bool,
}

impl Clock<Mysql> for MysqlClock {
    const OUTLIVES_A_ROLLBACK: bool = true;

    fn limit(&mut self, left: Duration) -> Option<Step<'_, Mysql>> {
        let first = !std::mem::replace(&mut self.limited, true);
        // Rounded up, so that the time is up when the server says so. Zero would mean no limit.
        let milliseconds = u64::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).clamp(1, MOST);
        Some(Step { statement: Statement::new(Limit { first, milliseconds }), answer: Response::Nothing })
    }

    fn restore(&mut self) -> Option<Step<'_, Mysql>> {
        let limited = std::mem::take(&mut self.limited);
        limited.then(|| Step { statement: Statement::new(Restore), answer: Response::Nothing })
    }
}

/// The longest limit, in milliseconds, that both servers take.
const MOST: u64 = 31_536_000_000;

/// Sets the limits, and keeps the earlier settings if `first` is set.
struct Limit {
    first: bool,
    milliseconds: u64,
}

impl QueryFragment<Mysql> for Limit {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        // The crate writes the number into the text. As a parameter, MariaDB would take it for a decimal, and MySQL would refuse it.
        pass.unsafe_to_cache_prepared();
        let (milliseconds, seconds) =
            (self.milliseconds, format!("{}.{:03}", self.milliseconds / 1000, self.milliseconds % 1000));
        // All values are read before the first is set, so the session variable is of use from the second call on.
        let (mysql, mariadb) = match self.first {
            true => ("@@max_execution_time", "@@max_statement_time"),
            false => ("@diesel_lockset_limit", "@diesel_lockset_limit"),
        };
        pass.push_sql("SET ");
        if self.first {
            pass.push_sql("@diesel_lockset_limit = /*!80001 @@max_execution_time */ /*M! @@max_statement_time */, ");
        }
        // To prepare a statement may take longer than to run it, if another session alters the table. Neither of the two limits counts
        // while it waits for that session.
        let metadata = if self.first { "@@lock_wait_timeout" } else { "@diesel_lockset_metadata" };
        if self.first {
            pass.push_sql("@diesel_lockset_metadata = @@lock_wait_timeout, ");
        }
        let whole_seconds = milliseconds.div_ceil(1000);
        pass.push_sql(&format!(
            "lock_wait_timeout = CAST(LEAST({metadata}, {whole_seconds}) AS UNSIGNED), \
             /*!80001 max_execution_time = CAST(IF({mysql} > 0, LEAST({mysql}, {milliseconds}), \
             {milliseconds}) AS UNSIGNED) */ /*M! max_statement_time = IF({mariadb} > 0, LEAST({mariadb}, {seconds}), \
             {seconds}) */"
        ));
        Ok(())
    }
}

/// Restores the earlier settings. If the session variables have no value, the statement that should have kept and set the limits was
/// cancelled, so nothing was set.
struct Restore;

impl QueryFragment<Mysql> for Restore {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        pass.push_sql(
            "SET lock_wait_timeout = CAST(COALESCE(@diesel_lockset_metadata, @@lock_wait_timeout) AS UNSIGNED), \
             @diesel_lockset_metadata = NULL, /*!80001 max_execution_time = CAST(COALESCE(@diesel_lockset_limit, @@max_execution_time) AS UNSIGNED) */ \
             /*M! max_statement_time = COALESCE(@diesel_lockset_limit, @@max_statement_time) */, \
             @diesel_lockset_limit = NULL",
        );
        Ok(())
    }
}
