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

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use diesel::{
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::{Error as DieselError, QueryResult},
    sql_types::BigInt,
};

use super::fragments::{READ_AND_LOCK, SNAPSHOT_ISOLATION};
use crate::{
    backend::{Clock, Response, Step},
    diesel_internals::Statement,
};

/// The clock of MySQL and MariaDB.
///
/// MariaDB takes the limit as a part of each statement, `SET STATEMENT max_statement_time = .. FOR SELECT ..` ([manual][manual]), and has
/// nothing to restore. MySQL has a comment for that, which would replace a shorter limit of the user's. There the server keeps the earlier settings in variables of the session, and restores them from there.
///
/// [manual]: https://mariadb.com/docs/server/reference/sql-statements/administrative-sql-statements/set-commands/set-statement
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct MysqlClock {
    limited: bool,
}

/// True from the first statement on that was refused by a MySQL. It is of the process, and no more than a guess about each connection: on
/// either server the clock does with either value what it has to do, and a wrong one costs round trips.
static ON_MYSQL: AtomicBool = AtomicBool::new(false);

/// A word that is a syntax error on MySQL and is not there on MariaDB.
const REFUSED_BY_MYSQL: &str = "diesel_lockset_limit_of_mariadb";

impl Clock<Mysql> for MysqlClock {
    const OUTLIVES_A_ROLLBACK: bool = true;

    fn limit(&mut self, left: Duration) -> Option<Step<'_, Mysql>> {
        let first = !std::mem::replace(&mut self.limited, true);
        let milliseconds = milliseconds(left);
        let limit = Limit { first, milliseconds, seconds: whole_seconds(milliseconds) };
        Some(Step { statement: Statement::new(limit), answer: Response::Nothing })
    }

    fn limits_inside(&self) -> bool {
        !ON_MYSQL.load(Relaxed)
    }

    fn limit_inside<'e>(&self, step: Step<'e, Mysql>, left: Duration) -> Step<'e, Mysql> {
        if !matches!(step.answer, Response::Rows(_)) {
            // It sets a variable, and waits for nobody.
            return step;
        }
        let milliseconds = milliseconds(left);
        let (seconds, whole) = (seconds(milliseconds), whole_seconds(milliseconds));
        // Of two such heads, the outer one would be ignored.
        let further = match step.statement.head() {
            READ_AND_LOCK => SNAPSHOT_ISOLATION,
            _ => "",
        };
        let head = format!(
            "/*!80001 {REFUSED_BY_MYSQL} */ /*M! SET STATEMENT max_statement_time = IF(@@max_statement_time > 0, \
             LEAST(@@max_statement_time, {seconds}), {seconds}), lock_wait_timeout = CAST(LEAST(@@lock_wait_timeout, {whole}) AS \
             UNSIGNED) */ {further}/*M! FOR */ "
        );
        Step { statement: step.statement.behind(head), answer: step.answer }
    }

    fn is_refused(&self, error: &DieselError) -> bool {
        let refused = matches!(error, DieselError::DatabaseError(_, info) if info.message().contains(REFUSED_BY_MYSQL));
        if refused {
            ON_MYSQL.store(true, Relaxed);
        }
        refused
    }

    fn restore(&mut self) -> Option<Step<'_, Mysql>> {
        let limited = std::mem::take(&mut self.limited);
        limited.then(|| Step { statement: Statement::new(Restore), answer: Response::Nothing })
    }
}

/// The longest limit, in milliseconds, that both servers take.
const MOST: i64 = 31_536_000_000;

/// Rounds up, so that the time is up when the server says so. Zero would mean no limit.
fn milliseconds(left: Duration) -> i64 {
    i64::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(MOST).clamp(1, MOST)
}

fn seconds(milliseconds: i64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// Rounds up.
fn whole_seconds(milliseconds: i64) -> i64 {
    (milliseconds + 999) / 1000
}

/// Sets the limits, and keeps the earlier settings if `first` is set.
struct Limit {
    first: bool,
    milliseconds: i64,
    /// Rounded up.
    seconds: i64,
}

impl QueryFragment<Mysql> for Limit {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        // All values are read before the first is set, so the session variable is of use from the second call on.
        let (mysql, mariadb, metadata) = match self.first {
            true => ("@@max_execution_time", "@@max_statement_time", "@@lock_wait_timeout"),
            false => ("@diesel_lockset_limit", "@diesel_lockset_limit", "@diesel_lockset_metadata"),
        };
        pass.push_sql("SET ");
        if self.first {
            pass.push_sql(
                "@diesel_lockset_limit = /*!80001 @@max_execution_time */ /*M! @@max_statement_time */, \
                 @diesel_lockset_metadata = @@lock_wait_timeout, ",
            );
        }
        // To prepare a statement may take longer than to run it, if another session alters the table. Neither of the two limits counts
        // while it waits for that session.
        pass.push_sql("lock_wait_timeout = CAST(LEAST(");
        pass.push_sql(metadata);
        pass.push_sql(", ");
        pass.push_bind_param::<BigInt, i64>(&self.seconds)?;
        // The parameters are outside of the comments, or each server would see others. MariaDB counts seconds.
        let limit = format!("/*!80001 {mysql} */ /*M! {mariadb} * 1000 */");
        pass.push_sql(&format!(
            ") AS UNSIGNED), /*!80001 max_execution_time = CAST( */ /*M! max_statement_time = 0.001 * ( */ IF({limit} > 0, LEAST({limit}, "
        ));
        pass.push_bind_param::<BigInt, i64>(&self.milliseconds)?;
        pass.push_sql("), ");
        pass.push_bind_param::<BigInt, i64>(&self.milliseconds)?;
        pass.push_sql(") /*!80001 AS UNSIGNED) */ /*M! ) */");
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
