//! Runs a single locked query over a connection of `diesel-async`.

use std::future::Future;

use diesel::{
    deserialize::FromSqlRow,
    dsl::Limit,
    expression::QueryMetadata,
    query_builder::{Query, QueryFragment},
    query_dsl::methods::LimitDsl,
    query_source::Table,
    result::Error as DieselError,
};

use super::{catch::catch, connection::LockConnection, driver::Nonblocking};
use crate::{
    backend::HasLockingClauses,
    core::{Loading, of_tables},
    diesel_internals::CompatibleType,
    error::{LockError, Result},
    markers::{Blocking, NoWait, SkipLocked, Timeout},
    mode::WaitPolicy,
    sql::{AnySelect, LockStrength, LockedQuery, RowLock},
};

/// Runs a query with a locking clause of [`LockQueryDsl`](crate::LockQueryDsl) over a connection of `diesel-async`.
pub trait RunLockQuery<Conn>: Sized {
    /// Locks and loads all rows. As the blocking [`RunLockQuery::load`](crate::RunLockQuery::load).
    ///
    /// `RunQueryDsl` of `diesel-async` is implemented for every type, so where it is in scope, `query.load(conn)` is ambiguous and does
    /// not compile. It must not be the one that is called: it knows nothing of `no_wait` and `timeout`. This method has a name
    /// of its own.
    ///
    /// # Errors
    ///
    /// Those of the blocking call.
    ///
    /// # Cancel safety
    ///
    /// As [`RunLockSet::lock`](super::RunLockSet::lock): dropped before it is ready, it leaves the connection marked as broken.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # include!("../doctest_setup_async.rs");
    /// # fn main() {}
    /// # async fn doc(conn: &mut AsyncPgConnection) -> Result<(), LockError> {
    /// let poor: Vec<Account> = accounts::table
    ///     .filter(accounts::balance.lt(10))
    ///     .for_update_of(accounts::table)
    ///     .lock(conn)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    fn lock<U>(self, conn: &mut Conn) -> impl Future<Output = Result<Vec<U>>> + Send
    where
        Conn: LockConnection,
        U: Send,
        Self: LoadLocked<Conn, U>,
    {
        RunLockQuery::load(self, conn)
    }

    /// Locks and loads the first row only. As the blocking [`RunLockQuery::first`](crate::RunLockQuery::first).
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock), and [`LockError::Query`] of [`NotFound`](DieselError::NotFound) if there is none:
    /// [`optional`](crate::OptionalExtension::optional) makes `None` of that.
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    fn lock_first<U>(self, conn: &mut Conn) -> impl Future<Output = Result<U>> + Send
    where
        Conn: LockConnection,
        U: Send,
        Self: LimitDsl,
        Limit<Self>: RunLockQuery<Conn> + LoadLocked<Conn, U>,
    {
        RunLockQuery::get_result(self.limit(1), conn)
    }

    /// The same as [`lock`](Self::lock), by the name of the blocking call: `RunLockQuery::load(query, conn)`.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    fn load<U>(self, conn: &mut Conn) -> impl Future<Output = Result<Vec<U>>> + Send
    where
        Conn: LockConnection,
        U: Send,
        Self: LoadLocked<Conn, U>;

    /// The same as [`load`](Self::load).
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    ///
    /// # Cancel safety
    ///
    /// As [`load`](Self::load).
    fn get_results<U>(self, conn: &mut Conn) -> impl Future<Output = Result<Vec<U>>> + Send
    where
        Conn: LockConnection,
        U: Send,
        Self: LoadLocked<Conn, U>,
    {
        RunLockQuery::load(self, conn)
    }

    /// The same as [`lock_first`](Self::lock_first), by the name of the blocking call.
    ///
    /// # Errors
    ///
    /// As [`lock_first`](Self::lock_first).
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    fn first<U>(self, conn: &mut Conn) -> impl Future<Output = Result<U>> + Send
    where
        Conn: LockConnection,
        U: Send,
        Self: LimitDsl,
        Limit<Self>: RunLockQuery<Conn> + LoadLocked<Conn, U>,
    {
        RunLockQuery::get_result(self.limit(1), conn)
    }

    /// Locks all rows and returns the first. As the blocking [`RunLockQuery::get_result`](crate::RunLockQuery::get_result).
    ///
    /// # Errors
    ///
    /// As [`lock_first`](Self::lock_first).
    ///
    /// # Cancel safety
    ///
    /// As [`lock`](Self::lock).
    fn get_result<U>(self, conn: &mut Conn) -> impl Future<Output = Result<U>> + Send
    where
        Conn: LockConnection,
        U: Send,
        Self: LoadLocked<Conn, U>;
}

impl<Q, S, L, W, Conn> RunLockQuery<Conn> for RowLock<Q, S, L, W> {
    fn load<U>(self, conn: &mut Conn) -> impl Future<Output = Result<Vec<U>>> + Send
    where
        Conn: LockConnection,
        U: Send,
        Self: LoadLocked<Conn, U>,
    {
        self.load_locked(conn)
    }

    fn get_result<U>(self, conn: &mut Conn) -> impl Future<Output = Result<U>> + Send
    where
        Conn: LockConnection,
        U: Send,
        Self: LoadLocked<Conn, U>,
    {
        let rows = self.load_locked(conn);
        async move { rows.await?.into_iter().next().ok_or(LockError::Query(DieselError::NotFound)) }
    }
}

/// A locked query whose rows can be loaded as `U` over a connection of `diesel-async`.
#[diagnostic::on_unimplemented(
    message = "the rows of this query cannot be loaded as `{U}` over `{Conn}`",
    note = "select what the model wants with `.select(T::as_select())`",
    note = "`for_no_key_update_of` and `for_key_share_of` exist on PostgreSQL only",
    note = "SQLite has no locking clauses: lock what the query chooses with `LockSet::new().query::<T>(query)`",
    note = "the query and its values must be `Send`"
)]
pub trait LoadLocked<Conn, U> {
    #[doc(hidden)]
    fn load_locked(self, conn: &mut Conn) -> impl Future<Output = Result<Vec<U>>> + Send;
}

macro_rules! unlimited {
    ($($policy:ident),*) => {$(
        #[diagnostic::do_not_recommend]
        impl<Q, S, L, Conn, U, DB> LoadLocked<Conn, U> for RowLock<Q, S, L, $policy>
        where
            DB: HasLockingClauses + QueryMetadata<Q::SqlType>,
            Conn: LockConnection<Backend = DB>,
            Q: Query<SqlType: CompatibleType<U, DB>>,
            Self: QueryFragment<DB> + LockedQuery<DB> + Query<SqlType = Q::SqlType> + Send,
            U: FromSqlRow<<Q::SqlType as CompatibleType<U, DB>>::SqlType, DB> + Send,
        {
            async fn load_locked(self, conn: &mut Conn) -> Result<Vec<U>> {
                let mut driver = Nonblocking::new(conn);
                let loaded = catch(async {
                    let query = self;
                    let loading = Loading::unlimited(&mut driver, &query)?;
                    let rows = driver.load(&query).await;
                    let rows = loading.end(&mut driver, rows).await;
                    rows.map_err(|error| of_tables(error, &query))
                })
                .await;
                driver.done(loaded)
            }
        }
    )*};
}

unlimited!(Blocking, SkipLocked);

macro_rules! limited {
    ($($policy:ident),*) => {$(
        #[diagnostic::do_not_recommend]
        impl<Q, S, L, Conn, U, DB> LoadLocked<Conn, U> for RowLock<Q, S, L, $policy>
        where
            DB: HasLockingClauses + QueryMetadata<Q::SqlType>,
            Conn: LockConnection<Backend = DB>,
            Q: Query<SqlType: CompatibleType<U, DB>> + AnySelect<DB>,
            S: Table<PrimaryKey: QueryFragment<DB> + Send> + QueryFragment<DB>,
            L: LockStrength<DB>,
            Self: QueryFragment<DB> + LockedQuery<DB> + Query<SqlType = Q::SqlType> + Send,
            U: FromSqlRow<<Q::SqlType as CompatibleType<U, DB>>::SqlType, DB> + Send,
        {
            async fn load_locked(self, conn: &mut Conn) -> Result<Vec<U>> {
                let mut driver = Nonblocking::new(conn);
                let loaded = catch(async {
                    let (loading, query) = Loading::begin(&mut driver, self).await?;
                    let rows = driver.load(&query).await;
                    let rows = loading.end(&mut driver, rows).await;
                    rows.map_err(|error| of_tables(error, &query))
                })
                .await;
                driver.done(loaded)
            }
        }
    )*};
}

limited!(NoWait, Timeout, WaitPolicy);
