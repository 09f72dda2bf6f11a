//! Running a single locked query.

use diesel::{
    deserialize::FromSqlRow,
    expression::QueryMetadata,
    query_builder::{Query, QueryFragment, QueryId},
    query_source::Table,
    result::Error as DieselError,
};

use super::{driver::Driver, implicit_rollback::check_rollback, session_state::marked, timer::Timer};
use crate::{
    backend::{Clock, LockingBackend, sink},
    diesel_internals::CompatibleType,
    error::{Attempt, LockError, Result, RowName},
    key::RowKey,
    mode::WaitPolicy,
    sql::{AnySelect, LockClause, LockStrength, LockedQuery, QueryText, RowLock, TableName, locked_text},
};

/// What the rows of a query are in SQL when they are read into a `U`.
type Row<Q, U, DB> = <<Q as Query>::SqlType as CompatibleType<U, DB>>::SqlType;

/// Locks and loads the rows of a query, which waits as the server does, or skips.
pub(crate) async fn load<D, Q, U>(driver: &mut D, query: Q) -> Result<Vec<U>>
where
    D: Driver<DB: QueryMetadata<Q::SqlType>>,
    Q: LockedQuery<D::DB> + Query<SqlType: CompatibleType<U, D::DB>> + QueryFragment<D::DB> + QueryId,
    U: FromSqlRow<Row<Q, U, D::DB>, D::DB>,
{
    check::<D::DB>(&query)?;
    let rows = driver.load(&query).await;
    check_rollback(driver, rows).await.map_err(|error| {
        let mut clauses = Vec::new();
        // What cannot be put together now has failed before.
        let _ = query.add_clauses(&mut clauses);
        let tables: Vec<_> = clauses.iter().map(|clause: &LockClause| clause.table.both()).collect();
        LockError::of_locking_statement(error).of_tables(&tables)
    })
}

/// The same within a time, or without waiting: then it looks first whether somebody holds a row.
pub(crate) async fn load_in_time<D, U, Q, S, L, W>(driver: &mut D, query: RowLock<Q, S, L, W>) -> Result<Vec<U>>
where
    D: Driver<DB: QueryMetadata<Q::SqlType>>,
    Q: Query<SqlType: CompatibleType<U, D::DB>> + AnySelect<D::DB>,
    S: Table<PrimaryKey: QueryFragment<D::DB>> + QueryFragment<D::DB>,
    L: LockStrength<D::DB>,
    RowLock<Q, S, L, W>: QueryFragment<D::DB> + LockedQuery<D::DB> + Query<SqlType = Q::SqlType> + QueryId,
    U: FromSqlRow<Row<Q, U, D::DB>, D::DB>,
{
    check::<D::DB>(&query)?;
    let wait_policy = query.wait_policy;
    let shape = query.query.shape()?;
    QueryText::of(&query.query, shape, D::DB::DIALECT, None)?;
    let table = TableName::of::<D::DB>(&query.table)?;
    if wait_policy == WaitPolicy::NoWait {
        if shape.offset {
            return Err(LockError::offset_without_wait());
        }
        let key = query.table.primary_key();
        let mut busy = Vec::new();
        let read = sink(|row| {
            busy.push(D::DB::busy_key(row)?);
            Ok(())
        });
        let asked = driver.rows(D::DB::busy_rows(&query.query, &key, &table, L::STRENGTH), read).await;
        let asked = check_rollback(driver, asked).await;
        asked.map_err(|error| LockError::of_locking_statement(error).of_tables(&[table.both()]))?;
        if !busy.is_empty() {
            return Err(busy_rows(driver, key, &table, busy).await);
        }
    }
    let mut timer = Timer::<D::DB>::start(wait_policy);
    let rows = match timer.limit(driver).await {
        Ok(()) => {
            // The limit is a setting of the session.
            let rows = marked!(driver, driver.load(&query));
            check_rollback(driver, rows).await.map_err(|error| timer.class(error).of_tables(&[table.both()]))
        }
        Err(error) => Err(error),
    };
    let lost = rows.as_ref().err().is_some_and(LockError::transaction_is_lost);
    let restored = match lost && !<D::DB as LockingBackend>::Clock::OUTLIVES_A_ROLLBACK {
        true => Ok(()),
        false => timer.restore(driver).await,
    };
    rows.and_then(|rows| restored.map(|()| rows)).map_err(|error| match error {
        LockError::TimedOut { source, .. } => {
            let (table, waited) = (table.quoted().to_owned(), timer.elapsed());
            let attempt =
                Attempt { table, advisory_lock: None, rows: vec![], waited, holders: vec![], rolled_back: false };
            LockError::TimedOut { attempt: Some(Box::new(attempt)), source }
        }
        error => error,
    })
}

/// Refuses a query whose rows are not rows of a table, or whose locking clause would mean another table.
fn check<DB: LockingBackend>(query: &dyn LockedQuery<DB>) -> Result<()> {
    if let Some(clause) = query.unlockable()? {
        return Err(LockError::folded(clause));
    }
    // One table alone is the one that is meant.
    let Some(text) = locked_text(query, DB::DIALECT)? else { return Ok(()) };
    let mut clauses = Vec::new();
    query.add_clauses(&mut clauses)?;
    clauses.iter().try_for_each(|clause| DB::check_table(&text, &clause.table))
}

/// Returns the error about rows that are not free: somebody holds them, or no lock of the session's reaches some of them.
async fn busy_rows<D: Driver>(
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

/// Returns the error about those of the rows that no lock of the session's reaches.
async fn hidden_rows<D: Driver>(
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
