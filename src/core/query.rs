//! Runs a single locked query.

use std::{panic::resume_unwind, thread};

use diesel::{
    query_builder::QueryFragment,
    query_source::Table,
    result::{Error as DieselError, QueryResult},
};

use super::{driver::Driver, implicit_rollback::check_rollback, session_state::Mark, timer::Timer, trace};
use crate::{
    backend::{Clock, HasLockingClauses, LockingBackend, sink},
    error::{Attempt, LockError, Result, RowName},
    key::RowKey,
    mode::WaitPolicy,
    sql::{AnySelect, LockClause, LockStrength, LockedQuery, QueryText, RowLock, TableName, locked_text},
};

/// A query that is being loaded, within a time or without a limit.
///
/// The verb loads the rows itself, between [`begin`](Self::begin) and [`end`](Self::end). A future of the core that is generic over the type
/// of the query is not seen to be `Send`, and without the type Diesel could not load the rows.
pub(crate) struct Loading<DB: HasLockingClauses> {
    timer: Timer<DB>,
    mark: Option<Mark>,
    table: Option<TableName>,
    call: trace::Call,
}

impl<DB: HasLockingClauses> Loading<DB> {
    /// Begins to load a query that waits as the server does, or skips.
    pub(crate) fn unlimited<D: Driver<DB = DB>>(driver: &mut D, query: &impl LockedQuery<DB>) -> Result<Self> {
        check(driver, query)?;
        let call = trace::Call::query(|| locked_tables(query));
        Ok(Loading { timer: Timer::start(WaitPolicy::Block), mark: None, table: None, call })
    }

    /// Begins to load a query with `timeout` or `no_wait`, and returns the query. With `no_wait` it first asks for rows that other
    /// sessions hold.
    pub(crate) async fn begin<D, Q, S, L, W>(
        driver: &mut D,
        query: RowLock<Q, S, L, W>,
    ) -> Result<(Self, RowLock<Q, S, L, W>)>
    where
        D: Driver<DB = DB>,
        Q: AnySelect<DB>,
        S: Table<PrimaryKey: QueryFragment<DB>> + QueryFragment<DB>,
        L: LockStrength<DB>,
        RowLock<Q, S, L, W>: LockedQuery<DB>,
    {
        check(driver, &query)?;
        let shape = query.query.shape()?;
        QueryText::of(&query.query, shape, DB::DIALECT, None)?;
        let table = TableName::of::<DB>(&query.table)?;
        if query.wait_policy == WaitPolicy::NoWait {
            if shape.offset {
                return Err(LockError::offset_without_wait());
            }
            let (key, mut busy) = (query.table.primary_key(), Vec::new());
            let read = sink(|row| {
                busy.push(DB::busy_key(row)?);
                Ok(())
            });
            let asked = driver.rows(DB::busy_rows(&query.query, &key, &table, L::STRENGTH), read).await;
            let asked = check_rollback(driver, asked).await;
            asked.map_err(|error| LockError::of_locking_statement(error).of_tables(&[table.both()]))?;
            if !busy.is_empty() {
                return Err(busy_rows(driver, key, &table, busy).await);
            }
        }
        let call = trace::Call::query(|| locked_tables(&query));
        let mut loading = Loading { timer: Timer::start(query.wait_policy), mark: None, table: Some(table), call };
        match loading.timer.limit(driver).await {
            // The limit is a setting of the session.
            Ok(()) => loading.mark = loading.timer.is_limited().then(|| Mark::on(driver)),
            Err(error) => return loading.settle(driver, Err(error)).await,
        }
        Ok((loading, query))
    }

    /// Takes the rows or the error, and restores the time limit.
    pub(crate) async fn end<D: Driver<DB = DB>, U>(
        mut self,
        driver: &mut D,
        rows: thread::Result<QueryResult<Vec<U>>>,
    ) -> Result<Vec<U>> {
        let rows = match self.mark.take() {
            Some(mark) => mark.off(driver, rows),
            None => rows.unwrap_or_else(|panic| resume_unwind(panic)),
        };
        let rows = check_rollback(driver, rows).await.map_err(|error| self.timer.class(error));
        self.settle(driver, rows).await
    }

    async fn settle<D: Driver<DB = DB>, T>(mut self, driver: &mut D, outcome: Result<T>) -> Result<T> {
        let lost = outcome.as_ref().err().is_some_and(LockError::transaction_is_lost);
        let restored = match lost && !DB::Clock::OUTLIVES_A_ROLLBACK {
            true => Ok(()),
            false => self.timer.restore(driver).await,
        };
        let waited = self.timer.elapsed();
        let outcome = outcome.and_then(|rows| restored.map(|()| rows)).map_err(|error| match (error, self.table) {
            (LockError::TimedOut { source, .. }, Some(table)) => {
                let (table, rows, holders) = (table.quoted().to_owned(), vec![], vec![]);
                let attempt =
                    Attempt { table, advisory_lock: None, migration: None, rows, waited, holders, rolled_back: false };
                LockError::TimedOut { attempt: Some(Box::new(attempt)), source }
            }
            (error, _) => error,
        });
        if outcome.is_ok() {
            trace::locked(driver);
        }
        self.call.end(0, outcome.as_ref().err());
        outcome
    }
}

/// Returns the locking clauses of a query. One that cannot be put together has none: it has failed before.
fn clauses<DB: HasLockingClauses>(query: &impl LockedQuery<DB>) -> Vec<LockClause> {
    let mut clauses = Vec::new();
    let _ = query.add_clauses(&mut clauses);
    clauses
}

fn locked_tables<DB: HasLockingClauses>(query: &impl LockedQuery<DB>) -> Vec<String> {
    clauses(query).iter().map(|clause| clause.table.quoted().to_owned()).collect()
}

/// Adds the tables that a query locks to its error.
pub(crate) fn of_tables<DB: HasLockingClauses>(error: LockError, query: &impl LockedQuery<DB>) -> LockError {
    let clauses = clauses(query);
    let tables: Vec<_> = clauses.iter().map(|clause: &LockClause| clause.table.both()).collect();
    error.of_tables(&tables)
}

/// Refuses a query outside of a transaction, one whose rows are not rows of a table, and one whose locking clause would mean another
/// table.
fn check<D: Driver<DB: HasLockingClauses>>(driver: &mut D, query: &impl LockedQuery<D::DB>) -> Result<()> {
    if driver.depth()?.is_none() {
        return Err(LockError::NotInTransaction);
    }
    if let Some(clause) = query.unlockable()? {
        return Err(LockError::folded(clause));
    }
    // One table alone is the one that is meant.
    let Some(text) = locked_text(query, D::DB::DIALECT)? else { return Ok(()) };
    let mut clauses = Vec::new();
    query.add_clauses(&mut clauses)?;
    clauses.iter().try_for_each(|clause| D::DB::check_table(&text, &clause.table))
}

/// Returns the error about rows that cannot be locked at once: other sessions hold them, or this session may not lock some of them.
async fn busy_rows<D: Driver<DB: HasLockingClauses>>(
    driver: &mut D,
    key: impl QueryFragment<D::DB>,
    table: &TableName,
    busy: Vec<String>,
) -> LockError {
    match hidden_rows(driver, key, table, &busy).await {
        Ok(Some(hidden)) => hidden,
        Ok(None) => LockError::Contended { rows: named(busy, table), holders: vec![], source: None },
        Err(error) => error,
    }
}

/// Returns the error about those rows that this session may not lock.
async fn hidden_rows<D: Driver<DB: HasLockingClauses>>(
    driver: &mut D,
    key: impl QueryFragment<D::DB>,
    table: &TableName,
    busy: &[String],
) -> Result<Option<LockError>> {
    let Some(questions) = D::DB::HIDES_ROWS else { return Ok(None) };
    let (mut hidden, mut may_ask) = (Vec::new(), false);
    let read = sink(|row| {
        let (key, may) = (questions.hidden)(row)?;
        hidden.push(key);
        may_ask = may;
        Ok(())
    });
    driver.rows((questions.among)(&key, table, busy), read).await?;
    if hidden.is_empty() {
        return Ok(None);
    }
    let mut reason = (questions.reason)(None);
    if may_ask {
        let read = sink(|row| {
            reason = (questions.reason)(Some(row));
            Ok(())
        });
        driver.rows((questions.why)(table), read).await?;
    }
    let reason = reason.map_err(DieselError::DeserializationError)?;
    let rows = named(hidden, table);
    Ok(Some(LockError::NotLockable { table: table.quoted().to_owned(), rows, reason, source: None }))
}

fn named(keys: Vec<String>, table: &TableName) -> Vec<RowName> {
    let name = |key| RowName::new(table.bare().to_owned(), table.quoted(), RowKey::new(key));
    keys.into_iter().map(name).collect()
}
