//! Makes the open transaction the writer of the database, within the wait policy of the call.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use diesel::{
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    sqlite::Sqlite,
};

use super::single_writer::{BusyTimeout, SetBusyTimeout, busy, busy_timeout};
use crate::{
    backend::{Response, RowSink, Step},
    diesel_internals::{RowRef, Statement},
    error::{LockError, Result},
    mode::WaitPolicy,
    sql::TableName,
};

/// The longest time that SQLite waits, in milliseconds: 24 days.
const FOREVER: i64 = i32::MAX as i64;

/// The time in milliseconds that a call waits which is told not to wait.
///
/// A transaction that has read before cannot wait to become the writer: SQLite [fails at once][busy], since what it has read would be out
/// of date. Such a transaction must be run again. The message is that of a database whose writer is another transaction. The two are told
/// apart by the time: SQLite has waited for a writer, if it is given time.
///
/// [busy]: https://www.sqlite.org/c3ref/busy_handler.html
const AT_ONCE: i64 = 20;

/// The plan that makes the transaction the writer.
///
/// A statement that SQLite [compiles as a write][write] takes the write lock, also if it changes no row. In front of it the time limit is
/// set, and behind it put back, unless the limit of the connection is the right one.
///
/// [write]: https://www.sqlite.org/lang_transaction.html#read_transactions_versus_write_transactions
#[derive(Debug)]
pub(super) struct WriteLock {
    /// The tables whose databases are still to be locked. A connection may have several files.
    tables: VecDeque<TableName>,
    wait_policy: WaitPolicy,
    began: Instant,
    stage: Stage,
    /// The limit of the connection; `None` until it was asked for.
    before: Option<i64>,
    /// The limit of the last statement, if it is known, and the time at which it was sent.
    sent: Option<(Option<i64>, Instant)>,
    /// The error to return when the limit is put back.
    failed: Option<LockError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Asks for the time limit of the connection.
    Ask,
    /// Sets the time limit.
    Limit(i64),
    /// Takes the write lock.
    Write,
    /// Puts the time limit back.
    Restore,
    Done,
}

impl WriteLock {
    pub(super) fn new(table: TableName, wait_policy: WaitPolicy) -> Self {
        // A transaction that is the writer already, as those of this crate are, needs no limit.
        let stage = if wait_policy == WaitPolicy::Block { Stage::Write } else { Stage::Ask };
        WriteLock {
            tables: VecDeque::from([table]),
            wait_policy,
            began: Instant::now(),
            stage,
            before: None,
            sent: None,
            failed: None,
        }
    }

    /// Locks the databases of these tables too, in an order that is the same for all sets.
    pub(super) fn among(&mut self, tables: Vec<TableName>) {
        let mut tables: Vec<_> =
            tables.into_iter().map(|table| (database(&table) != "main", database(&table), table)).collect();
        tables.sort();
        tables.dedup_by(|one, other| one.1 == other.1);
        if tables.len() > 1 {
            let own = std::mem::take(&mut self.tables);
            self.tables = tables.into_iter().map(|(.., table)| table).chain(own).collect();
        }
    }

    /// Returns a table of the database that could not be locked, if it is another one than that of this table.
    pub(super) fn elsewhere(&self, table: &TableName) -> Option<&TableName> {
        self.tables.front().filter(|locking| database(locking) != database(table))
    }

    pub(super) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    pub(super) fn next_step(&mut self) -> Option<Step<'_, Sqlite>> {
        let set = |limit| Step { statement: Statement::new(SetBusyTimeout(limit)), answer: Response::Nothing };
        match self.stage {
            Stage::Done => None,
            Stage::Ask => Some(Step::new(Statement::new(BusyTimeout), Limit(&mut self.before))),
            Stage::Limit(limit) => Some(set(limit)),
            Stage::Restore => Some(set(self.before?)),
            Stage::Write => {
                let limit = self.sent.map_or(self.before, |(limit, _)| limit);
                self.sent = Some((limit, Instant::now()));
                Some(Step { statement: Statement::new(Touch(self.tables.front()?)), answer: Response::Nothing })
            }
        }
    }

    /// Moves on after a statement. Fails when the time limit is put back after an error.
    pub(super) fn step_done(&mut self) -> Result<()> {
        self.stage = match self.stage {
            Stage::Ask => match (self.sent, self.limit()) {
                // The error came before the limit was known.
                (Some((_, sent)), limit) if Some(limit) == self.before => {
                    self.sent = Some((Some(limit), sent));
                    return Err(self.refused());
                }
                (_, limit) if Some(limit) == self.before => Stage::Write,
                (_, limit) => Stage::Limit(limit),
            },
            Stage::Limit(limit) => {
                self.sent = Some((Some(limit), Instant::now()));
                Stage::Write
            }
            Stage::Write => {
                self.tables.pop_front();
                match (self.tables.is_empty(), self.is_limited()) {
                    (false, false) => Stage::Write,
                    // The time that is left.
                    (false, true) => Stage::Limit(self.limit()),
                    (true, true) => Stage::Restore,
                    (true, false) => Stage::Done,
                }
            }
            Stage::Restore | Stage::Done => Stage::Done,
        };
        match self.failed.take() {
            Some(error) if self.is_done() => Err(error),
            failed => {
                self.failed = failed;
                Ok(())
            }
        }
    }

    /// Goes on after an error, to find out what it means or to put the time limit back.
    pub(super) fn recover(&mut self, error: LockError) -> Result<()> {
        if self.stage != Stage::Write {
            return Err(error);
        }
        let error = match busy(&error) {
            Some(source) if LockError::is_busy_in_a_shared_cache(source) => match self.wait_policy {
                WaitPolicy::NoWait => held(),
                _ => LockError::in_a_shared_cache(),
            },
            Some(_) if self.before.is_none() => {
                self.stage = Stage::Ask;
                return Ok(());
            }
            Some(_) => self.refused(),
            None => error,
        };
        if !self.is_limited() {
            return Err(error);
        }
        (self.failed, self.stage) = (Some(error), Stage::Restore);
        Ok(())
    }

    /// Returns the limit that the statement is to have, in milliseconds.
    fn limit(&self) -> i64 {
        let own = self.before.filter(|before| *before > 0);
        match self.wait_policy {
            WaitPolicy::Block => own.unwrap_or(FOREVER),
            WaitPolicy::Timeout(timeout) => {
                let left = timeout.saturating_sub(self.began.elapsed());
                // Rounded up. Zero would let no time to tell an old snapshot by.
                let left = i64::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(FOREVER);
                left.clamp(1, own.unwrap_or(FOREVER).min(FOREVER))
            }
            WaitPolicy::NoWait | WaitPolicy::SkipLocked => AT_ONCE,
        }
    }

    /// Returns whether the limit of the connection has been changed.
    fn is_limited(&self) -> bool {
        matches!((self.before, self.sent), (Some(before), Some((Some(limit), _))) if before != limit)
    }

    /// Returns the error of a statement that could not take the write lock.
    fn refused(&self) -> LockError {
        let waited = self.sent.is_some_and(|(limit, sent)| {
            let limit = limit.and_then(|limit| u64::try_from(limit).ok()).unwrap_or_default();
            sent.elapsed() >= Duration::from_millis(limit)
        });
        match self.wait_policy {
            _ if !waited => LockError::old_reader(),
            WaitPolicy::NoWait => held(),
            _ => LockError::TimedOut { attempt: None, source: None },
        }
    }
}

/// Returns the name of a table's database.
fn database(table: &TableName) -> String {
    table.schema().unwrap_or("main").to_ascii_lowercase()
}

/// Builds the error of a call that does not wait.
fn held() -> LockError {
    LockError::Contended { rows: Vec::new(), holders: Vec::new(), source: None }
}

/// Takes the write lock of the database of a table, and changes nothing: ``DELETE FROM `t` WHERE 0``.
struct Touch<'q>(&'q TableName);

impl QueryFragment<Sqlite> for Touch<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql("DELETE FROM ");
        pass.push_sql(self.0.quoted());
        pass.push_sql(" WHERE 0");
        Ok(())
    }
}

struct Limit<'e>(&'e mut Option<i64>);

impl RowSink<Sqlite> for Limit<'_> {
    fn row(&mut self, row: &RowRef<'_, Sqlite>) -> diesel::deserialize::Result<()> {
        *self.0 = Some(busy_timeout(row)?);
        Ok(())
    }
}
