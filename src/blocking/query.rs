//! Runs a single locked query over a blocking Diesel connection.

use diesel::{
    deserialize::FromSqlRow,
    dsl::Limit,
    expression::QueryMetadata,
    query_builder::{Query, QueryFragment},
    query_dsl::methods::LimitDsl,
    query_source::Table,
    result::Error as DieselError,
};

use super::{
    connection::LockConnection,
    driver::{Blocking as Driver, now},
};
use crate::{
    backend::HasLockingClauses,
    core::{Loading, of_tables},
    diesel_internals::CompatibleType,
    error::{LockError, Result},
    markers::{Blocking, NoWait, SkipLocked, Timeout},
    mode::WaitPolicy,
    sql::{AnySelect, LockStrength, LockedQuery, RowLock},
};

/// Runs a query with a locking clause. The methods are named as those of Diesel, and also check that a transaction is open.
pub trait RunLockQuery<Conn>: Sized {
    /// Runs the query and returns its rows, locked until the transaction ends, in the query's order.
    ///
    /// The order is that of the moment at which the server sorted the rows: a row whose place changed before it was locked is returned
    /// with its new values in its old place ([manual](https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE)).
    ///
    /// It blocks while another session holds a row of the query, unless the wait policy, such as [`skip_locked`](RowLock::skip_locked), is
    /// another one.
    ///
    /// # Errors
    ///
    /// - [`LockError::NotInTransaction`]: nothing was sent.
    /// - [`LockError::Unsupported`] for a boxed query with `DISTINCT`, `GROUP BY` or `HAVING`, and for
    ///   [raw SQL](crate::LockQueryDsl#raw-sql) behind which the locking clause would have no effect: nothing was sent, the transaction
    ///   goes on.
    /// - [`LockError::NotLockable`] if the table is a view, a materialized view or a foreign table, has no primary key (MySQL,
    ///   MariaDB), or may not be locked by this role: no row was touched; on PostgreSQL the transaction is aborted. After `no_wait`
    ///   also if row-level security keeps rows of the query from being locked: the transaction goes on.
    /// - [`LockError::Contended`] after `no_wait`: the transaction goes on.
    /// - [`LockError::TimedOut`] after `timeout`, or if the server's `lock_timeout` or `innodb_lock_wait_timeout` is shorter: the
    ///   transaction is aborted on PostgreSQL, and goes on on MySQL and MariaDB.
    /// - [`LockError::ReadOnly`], [`LockError::Deadlock`], [`LockError::Serialization`] (on PostgreSQL under READ COMMITTED too, if a
    ///   row moves to another partition while the query waits for it), [`LockError::Query`]: the transaction is aborted on PostgreSQL; see
    ///   each variant for MySQL and MariaDB.
    fn load<U>(self, conn: &mut Conn) -> Result<Vec<U>>
    where
        Conn: LockConnection,
        Self: LoadLocked<Conn, U>;

    /// Runs the query and returns its rows, as [`load`](Self::load) does.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    fn get_results<U>(self, conn: &mut Conn) -> Result<Vec<U>>
    where
        Conn: LockConnection,
        Self: LoadLocked<Conn, U>,
    {
        RunLockQuery::load(self, conn)
    }

    /// Runs the query with `LIMIT 1`, and returns its row, which is the only one that is locked.
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() { doctest(|conn| {
    /// let by_owner = accounts::table.filter(accounts::owner.eq("Ada"));
    /// let ada: Account = by_owner.for_update_of(accounts::table).first(conn)?;
    /// # assert_eq!(ada.id, 1);
    /// # Ok(()) }) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get_result`](Self::get_result).
    fn first<U>(self, conn: &mut Conn) -> Result<U>
    where
        Conn: LockConnection,
        Self: LimitDsl,
        Limit<Self>: RunLockQuery<Conn> + LoadLocked<Conn, U>,
    {
        RunLockQuery::get_result(self.limit(1), conn)
    }

    /// Runs the query and returns its first row; all of its rows are locked. [`first`](Self::first) locks only one.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load), and [`LockError::Query`] with Diesel's [`NotFound`](DieselError::NotFound) if there is no
    /// row; the transaction goes on after that.
    fn get_result<U>(self, conn: &mut Conn) -> Result<U>
    where
        Conn: LockConnection,
        Self: LoadLocked<Conn, U>;
}

impl<Q, S, L, W, Conn> RunLockQuery<Conn> for RowLock<Q, S, L, W> {
    fn load<U>(self, conn: &mut Conn) -> Result<Vec<U>>
    where
        Conn: LockConnection,
        Self: LoadLocked<Conn, U>,
    {
        self.load_locked(conn)
    }

    fn get_result<U>(self, conn: &mut Conn) -> Result<U>
    where
        Conn: LockConnection,
        Self: LoadLocked<Conn, U>,
    {
        RunLockQuery::load(self, conn)?.into_iter().next().ok_or(LockError::Query(DieselError::NotFound))
    }
}

/// A query with a locking clause whose rows can be loaded as `U` over `Conn`.
///
/// Diesel's own `LoadQuery` is not used: it comes with `RunQueryDsl`, whose methods would then run the query without checking
/// that a transaction is open.
#[diagnostic::on_unimplemented(
    message = "the rows of this query cannot be loaded as `{U}` over `{Conn}`",
    note = "select what the model wants with `.select(T::as_select())`",
    note = "`for_no_key_update_of` and `for_key_share_of` exist on PostgreSQL only",
    note = "SQLite has no locking clauses: lock what the query chooses with `LockSet::new().query::<T>(query)`"
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
            DB: HasLockingClauses + QueryMetadata<Q::SqlType>,
            Conn: LockConnection<Backend = DB>,
            Q: Query<SqlType: CompatibleType<U, DB>>,
            Self: QueryFragment<DB> + LockedQuery<DB> + Query<SqlType = Q::SqlType>,
            U: FromSqlRow<<Q::SqlType as CompatibleType<U, DB>>::SqlType, DB>,
        {
            fn load_locked(self, conn: &mut Conn) -> Result<Vec<U>> {
                let driver = &mut Driver(conn);
                let loading = Loading::unlimited(driver, &self)?;
                let rows = driver.load(&self);
                now(loading.end(driver, rows)).map_err(|error| of_tables(error, &self))
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
            DB: HasLockingClauses + QueryMetadata<Q::SqlType>,
            Conn: LockConnection<Backend = DB>,
            Q: Query<SqlType: CompatibleType<U, DB>> + AnySelect<DB>,
            S: Table<PrimaryKey: QueryFragment<DB>> + QueryFragment<DB>,
            L: LockStrength<DB>,
            Self: QueryFragment<DB> + LockedQuery<DB> + Query<SqlType = Q::SqlType>,
            U: FromSqlRow<<Q::SqlType as CompatibleType<U, DB>>::SqlType, DB>,
        {
            fn load_locked(self, conn: &mut Conn) -> Result<Vec<U>> {
                let driver = &mut Driver(conn);
                let (loading, query) = now(Loading::begin(driver, self))?;
                let rows = driver.load(&query);
                now(loading.end(driver, rows)).map_err(|error| of_tables(error, &query))
            }
        }
    )*};
}

with_a_look_first!(NoWait, Timeout, WaitPolicy);
