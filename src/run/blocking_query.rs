//! Running a single locked query over a blocking Diesel connection.

use diesel::{
    backend::Backend,
    deserialize::FromSqlRow,
    expression::QueryMetadata,
    query_builder::{Query, QueryFragment, QueryId},
    query_source::Table,
    result::{Error as DieselError, QueryResult},
};

use super::{connection::LockConnection, lost::heed, rows::each_row, timer::Timer};
use crate::{
    backend::{Clock, HidesRows, LockingBackend},
    diesel_internals::{CompatibleType, DefaultLoadingMode, LoadConnection, transaction_depth},
    error::{Attempt, LockError, Result, RowName},
    key::RowKey,
    mode::{Patience, Strength},
    sql::{
        Blocking, Choice, LockClause, LockWords, LockedQuery, NoWait, QueryText, RowLock, SkipLocked, TableName,
        Timeout, locked_text,
    },
};

/// Runs a query with a locking clause: Diesel's verbs, with the check that a transaction is open.
pub trait RunLockQuery: Sized {
    /// Runs the query and returns its rows, locked until the transaction ends, in the query's order.
    ///
    /// The order is that of the moment at which the server sorted them: a row whose place changed before it was locked comes
    /// with its new values in its old place ([manual](https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE)).
    ///
    /// Blocks while others hold a row that it wants, unless [`skip_locked`](RowLock::skip_locked) says otherwise.
    ///
    /// # Errors
    ///
    /// - [`LockError::NotInTransaction`]: nothing was sent.
    /// - [`LockError::Unsupported`] for a boxed query with `DISTINCT`, `GROUP BY` or `HAVING`, and for
    ///   [raw SQL](crate::LockQueryDsl#raw-sql) behind which the locking clause would not count: nothing was sent, the transaction goes
    ///   on.
    /// - [`LockError::NotLockable`] if the table is a view, a materialized view or a foreign table, has no primary key (MySQL,
    ///   MariaDB), or may not be locked by this role: no row was touched; on PostgreSQL the transaction is aborted. After `no_wait`
    ///   also if row-level security keeps rows of the query from being locked: the transaction goes on.
    /// - [`LockError::Contended`] after `no_wait`: the transaction goes on.
    /// - [`LockError::TimedOut`] after `timeout`, or if the server's `lock_timeout` is shorter: the transaction is aborted.
    /// - [`LockError::ReadOnly`], [`LockError::Deadlock`], [`LockError::Serialization`] (on PostgreSQL under READ COMMITTED too, if a
    ///   row moves to another partition while it is waited for), [`LockError::Query`]: the transaction is aborted.
    fn load<U, Conn>(self, conn: &mut Conn) -> Result<Vec<U>>
    where
        Conn: LockConnection,
        Self: LoadLocked<Conn, U>;

    /// As [`load`](Self::load).
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    fn get_results<U, Conn>(self, conn: &mut Conn) -> Result<Vec<U>>
    where
        Conn: LockConnection,
        Self: LoadLocked<Conn, U>,
    {
        RunLockQuery::load(self, conn)
    }

    /// Runs the query and returns its first row; all of its rows are locked. Put a `limit(1)` on it to lock only one.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), and [`LockError::Query`] with Diesel's [`NotFound`](DieselError::NotFound) if there is no
    /// row; the transaction goes on after that.
    fn get_result<U, Conn>(self, conn: &mut Conn) -> Result<U>
    where
        Conn: LockConnection,
        Self: LoadLocked<Conn, U>;
}

impl<Q, S, L, W> RunLockQuery for RowLock<Q, S, L, W> {
    fn load<U, Conn>(self, conn: &mut Conn) -> Result<Vec<U>>
    where
        Conn: LockConnection,
        Self: LoadLocked<Conn, U>,
    {
        if transaction_depth(conn)?.is_none() {
            return Err(LockError::NotInTransaction);
        }
        self.load_locked(conn)
    }

    fn get_result<U, Conn>(self, conn: &mut Conn) -> Result<U>
    where
        Conn: LockConnection,
        Self: LoadLocked<Conn, U>,
    {
        RunLockQuery::load(self, conn)?.into_iter().next().ok_or(LockError::Query(DieselError::NotFound))
    }
}

/// A query with a locking clause whose rows can be loaded as `U` over `Conn`.
///
/// Diesel's own `LoadQuery` would do, but it comes with `RunQueryDsl`, whose verbs would then run the query without looking
/// whether a transaction is open.
#[diagnostic::on_unimplemented(
    message = "the rows of this query cannot be loaded as `{U}` over `{Conn}`",
    note = "select what the model wants with `.select(T::as_select())`",
    note = "`for_no_key_update_of` and `for_key_share_of` exist on PostgreSQL only"
)]
pub trait LoadLocked<Conn, U> {
    #[doc(hidden)]
    fn load_locked(self, conn: &mut Conn) -> Result<Vec<U>>;
}

macro_rules! without_a_look_first {
    ($($word:ident),*) => {$(
        #[diagnostic::do_not_recommend]
        impl<Q, S, L, Conn, U, DB> LoadLocked<Conn, U> for RowLock<Q, S, L, $word>
        where
            DB: LockingBackend + QueryMetadata<Q::SqlType>,
            Conn: LockConnection<Backend = DB>,
            Q: Query<SqlType: CompatibleType<U, DB>>,
            Self: QueryFragment<DB> + LockedQuery<DB> + Query<SqlType = Q::SqlType>,
            U: FromSqlRow<<Q::SqlType as CompatibleType<U, DB>>::SqlType, DB>,
        {
            fn load_locked(self, conn: &mut Conn) -> Result<Vec<U>> {
                check::<DB>(&self)?;
                rows(&self, conn).map_err(|error| {
                    let mut clauses = Vec::new();
                    // What cannot be put together now has failed before.
                    let _ = self.add_clauses(&mut clauses);
                    let tables: Vec<_> = clauses.iter().map(|clause: &LockClause| clause.table.both()).collect();
                    LockError::of_locking_statement(error).of_tables(&tables)
                })
            }
        }
    )*};
}

without_a_look_first!(Blocking, SkipLocked);

macro_rules! with_a_look_first {
    ($($word:ident),*) => {$(
        #[diagnostic::do_not_recommend]
        impl<Q, S, L, Conn, U, DB> LoadLocked<Conn, U> for RowLock<Q, S, L, $word>
        where
            DB: LockingBackend + QueryMetadata<Q::SqlType>,
            Conn: LockConnection<Backend = DB>,
            Q: Query<SqlType: CompatibleType<U, DB>> + Choice<DB>,
            S: Table<PrimaryKey: QueryFragment<DB>> + QueryFragment<DB>,
            L: LockWords<DB>,
            Self: QueryFragment<DB> + LockedQuery<DB> + Query<SqlType = Q::SqlType>,
            U: FromSqlRow<<Q::SqlType as CompatibleType<U, DB>>::SqlType, DB>,
        {
            fn load_locked(self, conn: &mut Conn) -> Result<Vec<U>> {
                check::<DB>(&self)?;
                QueryText::of(&self.query, self.query.shape()?, DB::DIALECT, None)?;
                let table = TableName::of::<DB>(&self.table)?;
                if self.patience == Patience::NoWait {
                    at_once::<DB, _, _, _, _>(&self.query, &self.table, &table, L::STRENGTH, conn)?;
                }
                let mut timer = Timer::<DB>::start(self.patience);
                let rows = timer.limit(conn).and_then(|()| rows(self, conn).map_err(|error| timer.class(error).of_tables(&[table.both()])));
                let lost = rows.as_ref().err().is_some_and(LockError::transaction_is_lost);
                let restored = if lost && !DB::Clock::OUTLIVES_A_ROLLBACK { Ok(()) } else { timer.restore(conn) };
                rows.and_then(|rows| restored.map(|()| rows)).map_err(|error| match error {
                    LockError::TimedOut { source, .. } => {
                        let (table, waited) = (table.quoted().to_owned(), timer.elapsed());
                        let attempt = Attempt { table, advisory_lock: None, rows: vec![], waited, holders: vec![], rolled_back: false };
                        LockError::TimedOut { attempt: Some(Box::new(attempt)), source }
                    }
                    error => error,
                })
            }
        }
    )*};
}

with_a_look_first!(NoWait, Timeout);

/// Refuses a query whose rows are not rows of a table, or whose locking clause would not count or mean another table, before
/// anything is sent or even told to Diesel's instrumentation.
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

/// Locks what the query wants if all of it can be had at once.
fn at_once<DB, Q, S, K, Conn>(query: &Q, table: &S, name: &TableName, strength: Strength, conn: &mut Conn) -> Result<()>
where
    DB: LockingBackend,
    Q: Choice<DB>,
    S: Table<PrimaryKey = K>,
    K: QueryFragment<DB>,
    Conn: LockConnection<Backend = DB>,
{
    if query.shape()?.offset {
        return Err(LockError::offset_without_wait());
    }
    let (key, mut busy) = (table.primary_key(), Vec::new());
    let asked = each_row(conn, DB::busy_rows(query, &key, name, strength), |row| {
        busy.push(DB::busy_key(row)?);
        Ok(())
    });
    heed(conn, asked).map_err(|error| LockError::of_locking_statement(error).of_tables(&[name.both()]))?;
    if busy.is_empty() {
        return Ok(());
    }
    if let Some(questions) = DB::HIDES_ROWS {
        refuse_hidden(&questions, &key, name, &busy, conn)?;
    }
    Err(LockError::Contended { rows: named(busy, name), holders: vec![], source: None })
}

/// Refuses rows that nobody holds and that cannot be locked all the same.
fn refuse_hidden<DB, Conn>(
    questions: &HidesRows<DB>,
    key: &dyn QueryFragment<DB>,
    name: &TableName,
    busy: &[String],
    conn: &mut Conn,
) -> Result<()>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    let (mut hidden, mut may_ask) = (Vec::new(), false);
    each_row(conn, (questions.among)(key, name, busy), |row| {
        let (key, may) = (questions.hidden)(row)?;
        hidden.push(key);
        may_ask = may;
        Ok(())
    })?;
    if hidden.is_empty() {
        return Ok(());
    }
    let mut reason = (questions.reason)(None);
    if may_ask {
        each_row(conn, (questions.why)(name), |row| {
            reason = (questions.reason)(Some(row));
            Ok(())
        })?;
    }
    let reason = reason.map_err(DieselError::DeserializationError)?;
    Err(LockError::NotLockable { table: name.quoted().to_owned(), rows: named(hidden, name), reason, source: None })
}

fn named(keys: Vec<String>, table: &TableName) -> Vec<RowName> {
    let name = |key| RowName::new(table.bare().to_owned(), table.quoted(), RowKey::new(key));
    keys.into_iter().map(name).collect()
}

fn rows<DB, Q, U, Conn>(query: Q, conn: &mut Conn) -> QueryResult<Vec<U>>
where
    DB: Backend + QueryMetadata<Q::SqlType> + 'static,
    Conn: LockConnection<Backend = DB>,
    Q: Query<SqlType: CompatibleType<U, DB>> + QueryFragment<DB> + QueryId,
    U: FromSqlRow<<Q::SqlType as CompatibleType<U, DB>>::SqlType, DB>,
{
    let rows = LoadConnection::<DefaultLoadingMode>::load(conn, query)
        .and_then(|rows| rows.map(|row| U::build_from_row(&row?).map_err(DieselError::DeserializationError)).collect());
    heed(conn, rows)
}
