//! Running a single locked query.

use diesel::{
    deserialize::FromSqlRow,
    expression::QueryMetadata,
    query_builder::{Query, QueryFragment, QueryId},
    query_source::Table,
    result::{Error as DieselError, QueryResult},
};

use super::{driver::Driver, implicit_rollback::check_rollback, session_state, timer::Timer};
use crate::{
    backend::{Clock, HidesRows, LockingBackend},
    diesel_internals::CompatibleType,
    error::{Attempt, LockError, Result, RowName},
    key::RowKey,
    mode::{Strength, WaitPolicy},
    sql::{AnySelect, LockClause, LockedQuery, QueryText, TableName, locked_text},
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
    rows(driver, &query).await.map_err(|error| {
        let mut clauses = Vec::new();
        // What cannot be put together now has failed before.
        let _ = query.add_clauses(&mut clauses);
        let tables: Vec<_> = clauses.iter().map(|clause: &LockClause| clause.table.both()).collect();
        LockError::of_locking_statement(error).of_tables(&tables)
    })
}

/// The query behind a locking clause, and the table whose rows it locks.
pub(crate) struct Clause<'q, DB: LockingBackend, S> {
    pub(crate) query: &'q dyn AnySelect<DB>,
    pub(crate) table: &'q S,
    pub(crate) strength: Strength,
    pub(crate) wait_policy: WaitPolicy,
}

/// The same within a time, or without waiting: then it looks first whether somebody holds a row.
pub(crate) async fn load_in_time<D, Q, U, S>(driver: &mut D, query: &Q, clause: Clause<'_, D::DB, S>) -> Result<Vec<U>>
where
    D: Driver<DB: QueryMetadata<Q::SqlType>>,
    Q: LockedQuery<D::DB> + Query<SqlType: CompatibleType<U, D::DB>> + QueryFragment<D::DB> + QueryId,
    S: Table<PrimaryKey: QueryFragment<D::DB>> + QueryFragment<D::DB>,
    U: FromSqlRow<Row<Q, U, D::DB>, D::DB>,
{
    check::<D::DB>(query)?;
    QueryText::of(clause.query, clause.query.shape()?, D::DB::DIALECT, None)?;
    let table = TableName::of::<D::DB>(clause.table)?;
    if clause.wait_policy == WaitPolicy::NoWait {
        at_once(driver, &clause, &table).await?;
    }
    let mut timer = Timer::<D::DB>::start(clause.wait_policy);
    let rows = match timer.limit(driver).await {
        Ok(()) => limited_rows(driver, query).await.map_err(|error| timer.class(error).of_tables(&[table.both()])),
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

/// Locks what is free of a query's rows; fails if somebody holds one of them.
async fn at_once<D, S>(driver: &mut D, clause: &Clause<'_, D::DB, S>, name: &TableName) -> Result<()>
where
    D: Driver,
    S: Table<PrimaryKey: QueryFragment<D::DB>>,
{
    if clause.query.shape()?.offset {
        return Err(LockError::offset_without_wait());
    }
    let (key, mut busy) = (clause.table.primary_key(), Vec::new());
    let asked = driver
        .rows(D::DB::busy_rows(clause.query, &key, name, clause.strength), |row| {
            busy.push(D::DB::busy_key(row)?);
            Ok(())
        })
        .await;
    let asked = check_rollback(driver, asked).await;
    asked.map_err(|error| LockError::of_locking_statement(error).of_tables(&[name.both()]))?;
    if busy.is_empty() {
        return Ok(());
    }
    if let Some(questions) = D::DB::HIDES_ROWS {
        refuse_hidden(driver, &questions, &key, name, &busy).await?;
    }
    Err(LockError::Contended { rows: named(busy, name), holders: vec![], source: None })
}

/// Fails if no lock of the session's reaches some of these rows.
async fn refuse_hidden<D: Driver>(
    driver: &mut D,
    questions: &HidesRows<D::DB>,
    key: &dyn QueryFragment<D::DB>,
    name: &TableName,
    busy: &[String],
) -> Result<()> {
    let (mut hidden, mut may_ask) = (Vec::new(), false);
    driver
        .rows((questions.among)(key, name, busy), |row| {
            let (key, may) = (questions.hidden)(row)?;
            hidden.push(key);
            may_ask = may;
            Ok(())
        })
        .await?;
    if hidden.is_empty() {
        return Ok(());
    }
    let mut reason = (questions.reason)(None);
    if may_ask {
        driver
            .rows((questions.why)(name), |row| {
                reason = (questions.reason)(Some(row));
                Ok(())
            })
            .await?;
    }
    let reason = reason.map_err(DieselError::DeserializationError)?;
    Err(LockError::NotLockable { table: name.quoted().to_owned(), rows: named(hidden, name), reason, source: None })
}

fn named(keys: Vec<String>, table: &TableName) -> Vec<RowName> {
    let name = |key| RowName::new(table.bare().to_owned(), table.quoted(), RowKey::new(key));
    keys.into_iter().map(name).collect()
}

/// The same under the mark, since the limit is a setting of the session.
async fn limited_rows<D, Q, U>(driver: &mut D, query: Q) -> QueryResult<Vec<U>>
where
    D: Driver<DB: QueryMetadata<Q::SqlType>>,
    Q: Query<SqlType: CompatibleType<U, D::DB>> + QueryFragment<D::DB> + QueryId,
    U: FromSqlRow<Row<Q, U, D::DB>, D::DB>,
{
    let rows = session_state::marked(driver, async |driver| driver.load(query).await).await;
    check_rollback(driver, rows).await
}

async fn rows<D, Q, U>(driver: &mut D, query: Q) -> QueryResult<Vec<U>>
where
    D: Driver<DB: QueryMetadata<Q::SqlType>>,
    Q: Query<SqlType: CompatibleType<U, D::DB>> + QueryFragment<D::DB> + QueryId,
    U: FromSqlRow<Row<Q, U, D::DB>, D::DB>,
{
    let rows = driver.load(query).await;
    check_rollback(driver, rows).await
}
