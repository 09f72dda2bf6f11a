//! Asks who holds what a call wanted. A courtesy: it costs the caller neither the transaction nor time, and hides no error.

use std::time::{Duration, Instant};

use diesel::{connection::TransactionManager, deserialize, result::QueryResult};

use super::{connection::LockConnection, rows::each_row, timer::Timer};
use crate::{
    backend::{Clock, LockingBackend},
    diesel_internals::{RowRef, Statement},
    error::{Holder, Result},
    mode::Patience,
};

/// How much longer than its timeout a call may take for the question. That needs the tables that the call wanted, and may have to
/// wait for them; who is not told in time is not named.
const GRACE: Duration = Duration::from_millis(250);

/// The time of the question of a call that has no timeout.
const TIME: Duration = Duration::from_secs(1);

/// Asks up to so many times, until somebody is named, within the time that is `left` to the call and a moment.
///
/// Where an error aborts the transaction, the question has a savepoint and a limit of its own, both of which are undone. Where an
/// error undoes its own statement only, the statement brings its limit along.
pub(super) fn in_time<'q, DB, Conn, R>(
    conn: &mut Conn,
    left: Option<Duration>,
    times: usize,
    question: impl Fn(Duration) -> (Statement<'q, DB>, R),
) -> Vec<Holder>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
    R: Fn(&RowRef<'_, DB>) -> deserialize::Result<Holder>,
{
    let time = left.map_or(TIME, |left| left + GRACE);
    let end = Instant::now() + time;
    let ask = |conn: &mut Conn| -> QueryResult<Vec<Holder>> {
        for _ in 0..times {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let (statement, read) = question(left);
            let holders = each_holder(conn, statement.uncached(), read)?;
            if !holders.is_empty() {
                return Ok(holders);
            }
        }
        Ok(Vec::new())
    };
    if DB::Clock::OUTLIVES_A_ROLLBACK {
        return ask(conn).unwrap_or_default();
    }
    let limited = |conn: &mut Conn| {
        Timer::<DB>::start(Patience::Timeout(time)).limit(conn)?;
        Ok(ask(conn)?)
    };
    undone(conn, limited).unwrap_or_default()
}

/// Runs `f` in a savepoint that is rolled back.
pub(super) fn undone<Conn: LockConnection, R>(conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R>) -> Result<R> {
    Conn::TransactionManager::begin_transaction(conn)?;
    let outcome = f(conn);
    Conn::TransactionManager::rollback_transaction(conn)?;
    outcome
}

/// Reads all rows of the answer.
pub(super) fn each_holder<DB, Conn>(
    conn: &mut Conn,
    statement: Statement<'_, DB>,
    read: impl Fn(&RowRef<'_, DB>) -> deserialize::Result<Holder>,
) -> QueryResult<Vec<Holder>>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    let mut holders = Vec::new();
    each_row(conn, statement, |row| {
        holders.push(read(row)?);
        Ok(())
    })?;
    Ok(holders)
}
