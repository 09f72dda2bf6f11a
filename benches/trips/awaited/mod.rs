//! Connections of diesel-async, on a runtime with one thread.
//!
//! With more threads the counts may differ from run to run: the driver of PostgreSQL writes in a task of its own, and tells the server to close
//! a statement without waiting for the answer. On one thread that task runs while the call waits, so what the call has sent by then goes out
//! together, and is counted once.

use diesel::QueryResult;
use diesel_async::{AsyncConnection, TransactionManager};
use tokio::runtime::{Builder, Runtime};

use crate::{
    count::{Countable, Face, Verb},
    shared::Result,
};

mod on_mysql;
mod on_postgres;

/// A connection, and the runtime that drives it.
pub(crate) struct Awaited<A> {
    conn: A,
    runtime: Runtime,
}

impl<A> Awaited<A> {
    /// Waits for calls over the connection.
    fn wait<R>(&mut self, calls: impl AsyncFnOnce(&mut A) -> R) -> R {
        self.runtime.block_on(calls(&mut self.conn))
    }
}

/// A connection of diesel-async.
pub(crate) trait Asynchronous: AsyncConnection {
    /// The blocking connection to the same kind of server.
    type Server: Countable;

    const PARAMETERS: &'static [(&'static str, &'static str)];

    fn verbs() -> Vec<Verb<Awaited<Self>>>;
}

impl<A: Asynchronous> Face for Awaited<A> {
    type Server = A::Server;

    const SUFFIX: &'static str = "-async";
    const PARAMETERS: &'static [(&'static str, &'static str)] = A::PARAMETERS;

    fn open(url: &str) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let conn = runtime.block_on(A::establish(url))?;
        Ok(Awaited { conn, runtime })
    }

    fn send(&mut self, text: &str) -> QueryResult<()> {
        self.wait(async |conn| conn.batch_execute(text).await)
    }

    fn begin(&mut self) -> QueryResult<()> {
        self.wait(async |conn| A::TransactionManager::begin_transaction(conn).await)
    }

    fn roll_back(&mut self) -> QueryResult<()> {
        self.wait(async |conn| A::TransactionManager::rollback_transaction(conn).await)
    }

    fn verbs() -> Vec<Verb<Self>> {
        A::verbs()
    }
}
