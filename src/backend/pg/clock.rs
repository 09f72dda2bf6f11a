//! The time limit of a call, set by `statement_timeout`.
//!
//! `lock_timeout` is the obvious setting, but it counts each wait separately: a statement that waits for four rows in turn may take four
//! times as long ([manual][manual]). The server starts a statement's timer when the statement begins, so the setting must be a statement of
//! its own. The previous value is restored by the limited statement itself, where it can be.
//!
//! [manual]: https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT

use std::time::Duration;

use diesel::{
    deserialize,
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    row::Row,
    sql_types::{BigInt, Text},
};

use crate::{
    backend::{Clock, Response, RowSink, Step},
    diesel_internals::{RowRef, Statement},
};

/// PostgreSQL's clock: remembers the previous `statement_timeout`, and never allows more than that.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct PgClock {
    before: Option<String>,
    restored: bool,
}

impl Clock<Pg> for PgClock {
    const OUTLIVES_A_ROLLBACK: bool = false;

    fn limit_until_rollback(time: Duration) -> Option<String> {
        let milliseconds = milliseconds(time);
        Some(format!("SET LOCAL lock_timeout = 1000; {SET_LEAST}{milliseconds}{OR_OWN}{CURRENT}{END}"))
    }

    fn limit(&mut self, left: Duration) -> Option<Step<'_, Pg>> {
        let statement = Statement::new(Limit { milliseconds: milliseconds(left), before: self.before.clone() });
        self.restored = false;
        Some(Step::new(statement, Before(&mut self.before)))
    }

    /// The server starts the timer of a statement before it executes the statement, so the statement keeps its limit. An offset is evaluated
    /// once, before the first row is searched for, and whether there are rows or not.
    fn restore_inside<'e>(&self, mut step: Step<'e, Pg>) -> (Step<'e, Pg>, bool) {
        // A number with a unit.
        let before = self.before.as_deref().filter(|before| before.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let restores = before.is_some_and(|before| {
            step.statement.follow_by(format!(
                " OFFSET CASE WHEN pg_catalog.set_config('statement_timeout', '{before}', true) IS NULL THEN 1 ELSE 0 END"
            ))
        });
        (step, restores)
    }

    fn restored(&mut self) {
        self.restored = true;
    }

    fn restore(&mut self) -> Option<Step<'_, Pg>> {
        let before = self.before.take().filter(|_| !self.restored)?;
        Some(Step { statement: Statement::new(Restore(before)), answer: Response::Nothing })
    }
}

/// Returns the setting for this much time. It is rounded up, so that the time is up when the server reports a timeout. Zero would mean no
/// limit.
pub(super) fn milliseconds(time: Duration) -> i64 {
    let milliseconds = i64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX);
    milliseconds.clamp(1, i64::from(i32::MAX))
}

/// Lowers the limit and returns the previous one.
///
/// `SELECT current_setting('statement_timeout'), set_config('statement_timeout', ..the smaller of both.., true)`, by the server's own
/// functions and operators.
struct Limit {
    milliseconds: i64,
    before: Option<String>,
}

impl QueryFragment<Pg> for Limit {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(SET_LEAST);
        pass.push_bind_param::<BigInt, i64>(&self.milliseconds)?;
        pass.push_sql(OR_OWN);
        match &self.before {
            Some(before) => pass.push_bind_param::<Text, String>(before)?,
            None => pass.push_sql(CURRENT),
        }
        pass.push_sql(END);
        Ok(())
    }
}

/// The limit in milliseconds stands between the first two, and the setting between the last two.
const SET_LEAST: &str = "SELECT \"before\", pg_catalog.set_config('statement_timeout', LEAST(";
/// The setting reads `300ms`, `5s`, `1min`. An interval accepts all of these.
const OR_OWN: &str = ", CASE WHEN \"own\" OPERATOR(pg_catalog.>) 0 THEN \"own\" END)::pg_catalog.text, true) FROM (SELECT \"before\", \
     (extract(epoch FROM \"before\"::interval) OPERATOR(pg_catalog.*) 1000)::bigint AS \"own\" FROM (SELECT ";
const END: &str = " AS \"before\") AS \"setting\") AS \"settings\"";
const CURRENT: &str = "pg_catalog.current_setting('statement_timeout')";

struct Restore(String);

impl QueryFragment<Pg> for Restore {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql("SELECT pg_catalog.set_config('statement_timeout', ");
        pass.push_bind_param::<Text, String>(&self.0)?;
        pass.push_sql(", true)");
        Ok(())
    }
}

struct Before<'e>(&'e mut Option<String>);

impl RowSink<Pg> for Before<'_> {
    fn row(&mut self, row: &RowRef<'_, Pg>) -> deserialize::Result<()> {
        *self.0 = Some(row.get_value::<Text, String, _>(0)?);
        Ok(())
    }
}
