//! Sessions through connections whose calls block, plain or out of a pool.

use std::{marker::PhantomData, time::Duration};

use diesel::{
    Connection, QueryResult,
    connection::{LoadConnection, TransactionManager},
    r2d2::{ConnectionManager, Pool, PooledConnection, R2D2Connection},
};

use diesel_lockset::{
    LockDsl, LockError, LockSet, LockTarget, Locked, RunLockSet,
    bounds::{HasLockingClauses, IntoKey, LockingBackend},
};

use super::{server::Server, session::Session, statements::Statements};

/// A session through a connection whose calls block.
pub(crate) struct Direct<C: Open, S = <C as Open>::Server> {
    conn: C,
    pid: i32,
    server: PhantomData<fn() -> S>,
}

/// How a connection comes to be.
pub(crate) trait Open: Connection + LoadConnection + Send + 'static {
    type Server: Server<Backend = Self::Backend>;

    fn open(url: &str) -> Self;
}

impl<C> Open for PooledConnection<ConnectionManager<C>>
where
    C: Open + R2D2Connection,
    Self: Connection<Backend = C::Backend> + LoadConnection,
{
    type Server = C::Server;

    /// The only connection of a pool of its own, which lives as long as the connection is out.
    fn open(url: &str) -> Self {
        let pool = Pool::builder().max_size(1).build(ConnectionManager::new(url));
        pool.and_then(|pool| pool.get()).unwrap_or_else(|error| panic!("cannot connect to {url}: {error}"))
    }
}

impl<C: Open, S: Server<Backend = C::Backend>> Session for Direct<C, S> {
    type Conn = C;
    type Server = S;
    type Backend = C::Backend;

    fn connect(url: &str) -> Self {
        let mut conn = C::open(url);
        S::prepare(&mut conn);
        let pid = S::session_number(&mut conn);
        Self { conn, pid, server: PhantomData }
    }

    fn conn(&mut self) -> &mut C {
        &mut self.conn
    }

    fn pid(&mut self) -> i32 {
        self.pid
    }

    fn execute(&mut self, statement: &str) -> QueryResult<usize> {
        S::execute(&mut self.conn, statement)
    }

    fn number(&mut self, query: &str) -> QueryResult<i64> {
        S::number(&mut self.conn, query)
    }

    fn overhear(&mut self) -> Statements {
        let statements = Statements::default();
        self.conn.set_instrumentation(statements.listener());
        statements
    }

    fn begin(&mut self) -> QueryResult<()> {
        C::TransactionManager::begin_transaction(&mut self.conn)
    }

    fn commit(&mut self) -> QueryResult<()> {
        C::TransactionManager::commit_transaction(&mut self.conn)
    }

    fn rollback(&mut self) -> QueryResult<()> {
        C::TransactionManager::rollback_transaction(&mut self.conn)
    }

    fn begin_as(&mut self, characteristics: &str) -> QueryResult<()> {
        S::begin_as(&mut self.conn, characteristics)
    }

    fn lock_set<W: Send>(&mut self, set: LockSet<'_, C::Backend, W>) -> Result<Locked, LockError>
    where
        C::Backend: LockingBackend,
    {
        set.lock(&mut self.conn)
    }

    fn lock<T: LockTarget<C::Backend>>(&mut self, row: &T) -> Result<T, LockError>
    where
        C::Backend: LockingBackend,
    {
        row.lock(&mut self.conn)
    }

    fn lock_by_id<T: LockTarget<C::Backend>>(&mut self, id: impl IntoKey<T::Key>) -> Result<T, LockError>
    where
        C::Backend: LockingBackend,
    {
        T::lock_by_id(id, &mut self.conn)
    }

    fn no_wait<T: LockTarget<C::Backend>>(&mut self, row: &T) -> Result<T, LockError>
    where
        C::Backend: LockingBackend,
    {
        row.no_wait().lock(&mut self.conn)
    }

    fn skip_locked<T: LockTarget<C::Backend>>(&mut self, row: &T) -> Result<Option<T>, LockError>
    where
        C::Backend: HasLockingClauses,
    {
        row.skip_locked().lock(&mut self.conn)
    }

    fn timeout<T: LockTarget<C::Backend>>(&mut self, row: &T, time: Duration) -> Result<T, LockError>
    where
        C::Backend: LockingBackend,
    {
        row.timeout(time).lock(&mut self.conn)
    }

    fn with_lock<T, R, E>(&mut self, row: &T, then: impl FnOnce(T, &mut C) -> Result<R, E> + Send) -> Result<R, E>
    where
        C::Backend: LockingBackend,
        T: LockTarget<C::Backend>,
        R: Send,
        E: From<LockError> + From<diesel::result::Error> + Send,
    {
        row.with_lock(&mut self.conn, then)
    }

    fn execute_on(conn: &mut C, statement: &str) -> QueryResult<usize> {
        S::execute(conn, statement)
    }
}
