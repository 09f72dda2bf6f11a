//! The driver of connections of `diesel-async`.

use std::{future::Future, pin::pin, time::Duration};

use diesel::{
    connection::TransactionManagerStatus,
    deserialize::FromSqlRow,
    expression::QueryMetadata,
    query_builder::{Query, QueryFragment, QueryId},
    result::{Error as DieselError, QueryResult},
};
use diesel_async::{AsyncConnectionCore, SimpleAsyncConnection, TransactionManager};
use futures_util::StreamExt;

use super::connection::LockConnection;
use crate::{
    backend::{LockingBackend, Sink},
    core::Driver,
    diesel_internals::{CompatibleType, RowRef, Statement},
};

/// A connection whose answers are awaited.
///
/// Statements are handed to the connection before the first poll: it renders them then, and its futures are `Send` although Diesel's
/// nodes are not.
pub(super) struct Nonblocking<'c, Conn>(pub(super) &'c mut Conn);

impl<DB, Conn> Driver for Nonblocking<'_, Conn>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    type DB = DB;

    fn rows<'a>(
        &'a mut self,
        statement: Statement<'a, DB>,
        mut sink: Sink<'a, DB>,
    ) -> impl Future<Output = QueryResult<()>> {
        let rows = AsyncConnectionCore::load(self.0, statement);
        async move {
            let mut rows = pin!(rows.await?);
            while let Some(row) = rows.next().await {
                RowRef::of(&row?, |row| sink.row(row)).map_err(DieselError::DeserializationError)?;
            }
            Ok(())
        }
    }

    fn load<'a, Q, U>(&'a mut self, query: Q) -> impl Future<Output = QueryResult<Vec<U>>>
    where
        DB: QueryMetadata<Q::SqlType>,
        Q: Query<SqlType: CompatibleType<U, DB>> + QueryFragment<DB> + QueryId + 'a,
        U: FromSqlRow<<Q::SqlType as CompatibleType<U, DB>>::SqlType, DB> + 'a,
    {
        let rows = AsyncConnectionCore::load(self.0, query);
        async move {
            let (mut rows, mut loaded) = (pin!(rows.await?), Vec::new());
            while let Some(row) = rows.next().await {
                loaded.push(U::build_from_row(&row?).map_err(DieselError::DeserializationError)?);
            }
            Ok(loaded)
        }
    }

    fn execute<'a>(&'a mut self, statement: Statement<'a, DB>) -> impl Future<Output = QueryResult<usize>> {
        AsyncConnectionCore::execute_returning_count(self.0, statement)
    }

    fn batch(&mut self, statements: &str) -> impl Future<Output = QueryResult<()>> {
        SimpleAsyncConnection::batch_execute(self.0, statements)
    }

    fn begin(&mut self) -> impl Future<Output = QueryResult<()>> {
        Conn::TransactionManager::begin_transaction(self.0)
    }

    fn commit(&mut self) -> impl Future<Output = QueryResult<()>> {
        Conn::TransactionManager::commit_transaction(self.0)
    }

    fn rollback(&mut self) -> impl Future<Output = QueryResult<()>> {
        Conn::TransactionManager::rollback_transaction(self.0)
    }

    fn sleep(&mut self, pause: Duration) -> impl Future<Output = ()> {
        tokio::time::sleep(pause)
    }

    fn status(&mut self) -> &mut TransactionManagerStatus {
        Conn::TransactionManager::transaction_manager_status_mut(self.0)
    }

    /// The connections of `diesel-async` record some errors, and not the state of the transaction that the server reports.
    fn tells_of_aborts(&self) -> bool {
        false
    }
}
