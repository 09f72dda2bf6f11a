//! The driver of connections whose calls block.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use diesel::{
    connection::{Instrumentation, TransactionManager, TransactionManagerStatus},
    deserialize::FromSqlRow,
    expression::QueryMetadata,
    query_builder::{Query, QueryFragment},
    result::{Error as DieselError, QueryResult},
};

use super::{connection::LockConnection, control, kept, read::read};
use crate::{
    backend::{CommitBy, LockingBackend, PreparedControl, Sink},
    core::{self, Begun, Driver},
    diesel_internals::{Borrowed, CompatibleType, DefaultLoadingMode, LoadConnection, Statement, tells_of_aborts},
    error::LockError,
    mode::Isolation,
};

/// Its futures are ready when they are polled first.
pub(super) struct Blocking<'c, Conn>(pub(super) &'c mut Conn);

/// Polls a call over a blocking driver.
///
/// # Panics
///
/// If the call is not ready, which it is if it awaits nothing but such a driver.
pub(super) fn now<F: Future>(call: F) -> F::Output {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a blocking driver never waits"),
    }
}

/// Runs a closure in a transaction, or in a savepoint of the open one.
pub(super) fn transaction<Conn, R, E>(conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
where
    Conn: LockConnection,
    E: From<LockError> + From<DieselError>,
{
    let begun = now(core::begin::<_, E>(&mut Blocking(conn), None::<Isolation>))?;
    in_transaction(conn, begun, f)
}

/// Runs a closure in a transaction that was begun, and ends it.
pub(super) fn in_transaction<Conn, R, E>(
    conn: &mut Conn,
    begun: Begun,
    f: impl FnOnce(&mut Conn) -> Result<R, E>,
) -> Result<R, E>
where
    Conn: LockConnection,
    E: From<LockError> + From<DieselError>,
{
    let outcome = catch_unwind(AssertUnwindSafe(|| f(conn)));
    now(core::end(&mut Blocking(conn), begun, outcome))
}

impl<Conn: LockConnection> Blocking<'_, Conn> {
    /// Sends a query and loads its rows. A panic is returned.
    pub(super) fn load<Q, U, DB>(&mut self, query: &Q) -> thread::Result<QueryResult<Vec<U>>>
    where
        DB: LockingBackend + QueryMetadata<Q::SqlType>,
        Conn: LockConnection<Backend = DB>,
        Q: Query<SqlType: CompatibleType<U, DB>> + QueryFragment<DB>,
        U: FromSqlRow<<Q::SqlType as CompatibleType<U, DB>>::SqlType, DB>,
    {
        catch_unwind(AssertUnwindSafe(|| {
            let rows = LoadConnection::<DefaultLoadingMode>::load(self.0, Borrowed(query))?;
            rows.map(|row| U::build_from_row(&row?).map_err(DieselError::DeserializationError)).collect()
        }))
    }

    /// Returns the statements that begin and end a transaction in fewer round trips than Diesel's transaction manager. Other connections than
    /// Diesel's own may have a manager of their own.
    fn prepared_control<DB>(&self) -> Option<&'static PreparedControl<DB>>
    where
        DB: LockingBackend,
        Conn: LockConnection<Backend = DB>,
    {
        DB::PREPARED_CONTROL.filter(|_| tells_of_aborts::<Conn>())
    }

    /// Calls the transaction manager. If that panics, nobody knows what the server was told: the connection is marked as broken.
    fn manage(&mut self, call: impl FnOnce(&mut Conn) -> QueryResult<()>) -> QueryResult<()> {
        catch_unwind(AssertUnwindSafe(|| call(self.0))).unwrap_or_else(|panic| {
            Conn::TransactionManager::transaction_manager_status_mut(self.0).set_in_error();
            resume_unwind(panic)
        })
    }
}

impl<DB, Conn> Driver for Blocking<'_, Conn>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    type DB = DB;

    async fn rows<'a>(&'a mut self, statement: Statement<'a, DB>, sink: Sink<'a, DB>) -> QueryResult<()> {
        match DB::KEPT_STATEMENTS {
            // Nobody knows what the cache of another connection than Diesel's own does.
            Some(_) if !tells_of_aborts::<Conn>() => read(self.0, statement.uncached(), sink),
            Some(kept) if statement.is_cached()? => kept::until_it_fails(self.0, &kept, &statement, sink),
            _ => read(self.0, statement, sink),
        }
    }

    async fn execute<'a>(&'a mut self, statement: Statement<'a, DB>) -> QueryResult<usize> {
        self.0.execute_returning_count(&statement)
    }

    async fn batch(&mut self, statements: &str) -> QueryResult<()> {
        self.0.batch_execute(statements)
    }

    async fn begin(&mut self) -> QueryResult<()> {
        match self.prepared_control() {
            Some(control) => self.manage(|conn| control::begin(conn, control)),
            None => self.manage(Conn::TransactionManager::begin_transaction),
        }
    }

    async fn commit(&mut self) -> QueryResult<()> {
        match self.prepared_control() {
            Some(control) => self.manage(|conn| control::commit(conn, control)),
            None => self.manage(Conn::TransactionManager::commit_transaction),
        }
    }

    async fn control(&mut self, text: &'static str) -> QueryResult<()> {
        match self.prepared_control() {
            Some(control) => control::send(self.0, control, text.into()),
            None => self.0.batch_execute(text),
        }
    }

    /// On Diesel's own connections, whose transaction manager is known.
    fn commits_by(&self) -> bool {
        self.tells_of_aborts()
    }

    async fn commit_by(&mut self, by: CommitBy) -> QueryResult<()> {
        self.manage(|conn| control::commit_by(conn, &by))
    }

    async fn rollback(&mut self) -> QueryResult<()> {
        self.manage(Conn::TransactionManager::rollback_transaction)?;
        self.forget_note();
        Ok(())
    }

    async fn sleep(&mut self, pause: Duration) {
        thread::sleep(pause);
    }

    /// A call that blocks is never dropped.
    fn gives_up(&mut self) -> bool {
        false
    }

    fn status(&mut self) -> &mut TransactionManagerStatus {
        Conn::TransactionManager::transaction_manager_status_mut(self.0)
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.0.instrumentation()
    }

    fn tells_of_aborts(&self) -> bool {
        tells_of_aborts::<Conn>()
    }
}
