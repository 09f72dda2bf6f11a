//! The driver of connections of `diesel-async`.

use std::{
    any::type_name,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    thread,
    time::Duration,
};

use diesel::{
    connection::{Instrumentation, TransactionManagerStatus},
    deserialize::FromSqlRow,
    expression::QueryMetadata,
    query_builder::{Query, QueryFragment},
    result::{Error as DieselError, QueryResult},
};
use diesel_async::{AsyncConnectionCore, SimpleAsyncConnection, TransactionManager};
use futures_util::{FutureExt, StreamExt};

use super::{catch::catch, closure::AsyncClosure, connection::LockConnection, manager::is_of_diesel};
use crate::{
    backend::{CommitBy, LockingBackend, Sink},
    core::{self, Begun, Driver},
    diesel_internals::{Borrowed, CompatibleType, RowRef, Statement},
    error::LockError,
};

/// A connection whose answers are awaited, for the time of one call.
///
/// Statements are handed to the connection before the first poll: it renders them then, and its futures are `Send` although Diesel's
/// nodes are not.
///
/// A call ends with [`done`](Self::done). If its future is dropped before, nobody knows what the server was told and what it will do: the
/// connection is marked as broken, so that Diesel refuses it and a pool does not hand it out again, and the session is
/// [ended](Self::end_session).
pub(super) struct Nonblocking<'c, Conn: LockConnection> {
    conn: &'c mut Conn,
    done: bool,
}

impl<'c, Conn: LockConnection> Nonblocking<'c, Conn> {
    pub(super) fn new(conn: &'c mut Conn) -> Self {
        Nonblocking { conn, done: false }
    }

    /// Ends the call. A panic goes on: the core has done what it does after a panic.
    pub(super) fn done<T>(mut self, outcome: thread::Result<T>) -> T {
        self.done = true;
        drop(self);
        outcome.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Returns the connection, for a closure.
    pub(super) fn conn(&mut self) -> &mut Conn {
        self.conn
    }

    /// Sends a query and loads its rows. A panic is returned.
    pub(super) fn load<'q, Q, U, DB>(
        &'q mut self,
        query: &'q Q,
    ) -> impl Future<Output = thread::Result<QueryResult<Vec<U>>>> + use<'q, Q, U, DB, Conn>
    where
        DB: LockingBackend + QueryMetadata<Q::SqlType>,
        Conn: LockConnection<Backend = DB>,
        Q: Query<SqlType: CompatibleType<U, DB>> + QueryFragment<DB> + 'q,
        U: FromSqlRow<<Q::SqlType as CompatibleType<U, DB>>::SqlType, DB>,
    {
        let rows = AsyncConnectionCore::load(self.conn, Borrowed(query));
        catch(async move {
            let (mut rows, mut loaded) = (pin!(rows.await?), Vec::new());
            while let Some(row) = rows.next().await {
                loaded.push(U::build_from_row(&row?).map_err(DieselError::DeserializationError)?);
            }
            Ok(loaded)
        })
    }

    /// Sends the statement that ends the session. There is nobody to await the answer, so its future is polled once.
    ///
    /// That is enough: `tokio-postgres` hands it to the task of the connection, `SyncConnectionWrapper` to a thread, and `mysql_async`
    /// writes it to the socket, unless rows of the last statement are still to be read. The server reads it when it is done with that
    /// statement. Without it a pool of `deadpool` would keep the session open, with its locks.
    ///
    /// `ROLLBACK` would not do: a caller that goes on with the connection would send the statements that follow outside of a transaction.
    fn end_session(&mut self) {
        if let Some(statement) = Conn::Backend::END_SESSION {
            let _ = tokio::task::unconstrained(pin!(self.batch(statement))).now_or_never();
        }
    }

    /// Marks the connection as broken if a statement of the transaction manager has panicked.
    fn managed(&mut self, answer: thread::Result<QueryResult<()>>) -> QueryResult<()> {
        answer.unwrap_or_else(|panic| {
            self.status().set_in_error();
            resume_unwind(panic)
        })
    }

    /// Runs a closure in a transaction that was begun, and ends it.
    pub(super) async fn in_transaction<R, E, F>(&mut self, begun: Begun, f: F) -> Result<R, E>
    where
        E: From<LockError> + From<DieselError>,
        for<'r> F: AsyncFnOnce(&'r mut Conn) -> Result<R, E> + AsyncClosure<&'r mut Conn, Result<R, E>, Future: Send>,
    {
        let outcome = catch(f(self.conn())).await;
        core::end(self, begun, outcome).await
    }
}

impl<Conn: LockConnection> Drop for Nonblocking<'_, Conn> {
    fn drop(&mut self) {
        if !self.done {
            // `SyncConnectionWrapper` panics if it is asked while a statement is still under way in another thread. The statements of
            // the crate that leave something behind have marked the connection before they were sent.
            let _ = catch_unwind(AssertUnwindSafe(|| core::abandon(self)));
            let _ = catch_unwind(AssertUnwindSafe(|| self.end_session()));
        }
    }
}

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
        let once = DB::KEPT_STATEMENTS.is_some() && !executes_failed::<Conn>();
        let statement = if once { statement.uncached() } else { statement };
        let rows = AsyncConnectionCore::load(self.conn, statement);
        async move {
            let mut rows = pin!(rows.await?);
            while let Some(row) = rows.next().await {
                RowRef::of(&row?, |row| sink.row(row)).map_err(DieselError::DeserializationError)?;
            }
            Ok(())
        }
    }

    fn execute<'a>(&'a mut self, statement: Statement<'a, DB>) -> impl Future<Output = QueryResult<usize>> {
        AsyncConnectionCore::execute_returning_count(self.conn, statement)
    }

    fn batch(&mut self, statements: &str) -> impl Future<Output = QueryResult<()>> {
        SimpleAsyncConnection::batch_execute(self.conn, statements)
    }

    async fn begin(&mut self) -> QueryResult<()> {
        let begun = catch(Conn::TransactionManager::begin_transaction(self.conn)).await;
        self.managed(begun)
    }

    async fn commit(&mut self) -> QueryResult<()> {
        let committed = catch(Conn::TransactionManager::commit_transaction(self.conn)).await;
        self.managed(committed)
    }

    async fn control(&mut self, text: &'static str) -> QueryResult<()> {
        self.batch(text).await
    }

    /// Where the transaction manager is known, and the server is to be asked for the state of the transaction.
    fn commits_by(&self) -> bool {
        DB::PROBE.is_some() && is_of_diesel::<Conn>()
    }

    async fn commit_by(&mut self, by: CommitBy) -> QueryResult<()> {
        match by {
            CommitBy::Statement(text) => core::commit_by_text(self, text).await,
            CommitBy::Text(text) => core::commit_by_text(self, &text).await,
        }
    }

    async fn rollback(&mut self) -> QueryResult<()> {
        let undone = catch(Conn::TransactionManager::rollback_transaction(self.conn)).await;
        self.managed(undone)?;
        self.forget_note();
        Ok(())
    }

    fn sleep(&mut self, pause: Duration) -> impl Future<Output = ()> {
        tokio::time::sleep(pause)
    }

    fn gives_up(&mut self) -> bool {
        let broken = self.depth().is_err();
        if broken {
            let _ = catch_unwind(AssertUnwindSafe(|| self.end_session()));
        }
        broken
    }

    fn status(&mut self) -> &mut TransactionManagerStatus {
        Conn::TransactionManager::transaction_manager_status_mut(self.conn)
    }

    /// The connections of `diesel-async` note some errors, and not what the server says of the transaction.
    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.conn.instrumentation()
    }

    fn tells_of_aborts(&self) -> bool {
        false
    }
}

/// Returns whether a prepared statement that has failed can be executed again over a connection to MySQL or MariaDB. True for the driver in
/// Rust, also out of a pool or behind another type: with the client libraries in C it may wait for ever.
fn executes_failed<Conn>() -> bool {
    type_name::<Conn>().contains("diesel_async::mysql::AsyncMysqlConnection")
}
