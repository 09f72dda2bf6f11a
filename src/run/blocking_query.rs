//! Running a single locked query over a blocking Diesel connection.

use diesel::{
    backend::Backend,
    deserialize::FromSqlRow,
    expression::QueryMetadata,
    query_builder::{Query, QueryFragment, QueryId},
    query_source::Table,
    result::{Error as DieselError, QueryResult},
};

use super::{blocking::LockConnection, lost::heed, rows::each_row, timer::Timer};
use crate::{
    backend::{Clock, LockingBackend},
    diesel_internals::{CompatibleType, DefaultLoadingMode, LoadConnection, transaction_depth},
    error::{Attempt, LockError, Result, RowName},
    key::RowKey,
    mode::{Patience, Strength},
    sql::{
        Blocking, Choice, LockWords, LockedQuery, NoWait, QueryText, RowLock, SkipLocked, TableName, Timeout,
        locked_text,
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
    /// - [`LockError::Contended`] after `no_wait`: the transaction goes on.
    /// - [`LockError::TimedOut`] after `timeout`, or if the server's `lock_timeout` is shorter: the transaction is aborted.
    /// - [`LockError::ReadOnly`], [`LockError::Deadlock`], [`LockError::Serialization`], [`LockError::Query`]: the
    ///   transaction is aborted.
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
                rows(self, conn).map_err(LockError::of_locking_statement)
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
                let rows = timer.limit(conn).and_then(|()| rows(self, conn).map_err(|error| timer.class(error)));
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
        busy.push(RowName::new(name.bare().to_owned(), name.quoted(), RowKey::new(DB::busy_key(row)?)));
        Ok(())
    });
    heed(conn, asked).map_err(LockError::of_locking_statement)?;
    if busy.is_empty() { Ok(()) } else { Err(LockError::Contended { rows: busy, holders: vec![], source: None }) }
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
