//! Running a single locked query over a blocking Diesel connection.

use diesel::{
    backend::Backend,
    deserialize::FromSqlRow,
    expression::QueryMetadata,
    query_builder::{Query, QueryFragment, QueryId},
    result::{Error as DieselError, QueryResult},
};

use super::blocking::LockConnection;
use crate::{
    diesel_internals::{CompatibleType, DefaultLoadingMode, LoadConnection, transaction_depth},
    error::{LockError, Result},
    sql::RowLock,
};

/// Runs a query with a locking clause: Diesel's verbs, with the check that a transaction is open.
pub trait RunLockQuery: Sized {
    /// Runs the query and returns its rows, locked until the transaction ends, in the query's order.
    ///
    /// Blocks while others hold a row that it wants, unless [`skip_locked`](RowLock::skip_locked) says otherwise.
    ///
    /// # Errors
    ///
    /// - [`LockError::NotInTransaction`]: nothing was sent.
    /// - [`LockError::Unsupported`] for a boxed query with `DISTINCT`, `GROUP BY` or `HAVING`: nothing was sent.
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
        Ok(self.load_locked(conn)?)
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
    note = "select what the model wants with `.select(T::as_select())`, and mind which clauses the backend has"
)]
pub trait LoadLocked<Conn, U> {
    #[doc(hidden)]
    fn load_locked(self, conn: &mut Conn) -> QueryResult<Vec<U>>;
}

impl<Q, S, L, W, Conn, U, DB> LoadLocked<Conn, U> for RowLock<Q, S, L, W>
where
    DB: Backend + QueryMetadata<Q::SqlType> + 'static,
    Conn: LockConnection<Backend = DB>,
    Q: Query<SqlType: CompatibleType<U, DB>>,
    Self: QueryFragment<DB> + QueryId + Query<SqlType = Q::SqlType>,
    U: FromSqlRow<<Q::SqlType as CompatibleType<U, DB>>::SqlType, DB>,
{
    fn load_locked(self, conn: &mut Conn) -> QueryResult<Vec<U>> {
        LoadConnection::<DefaultLoadingMode>::load(conn, self)?
            .map(|row| U::build_from_row(&row?).map_err(DieselError::DeserializationError))
            .collect()
    }
}
