//! A session of a test, through any driver: what the contract and the interleavings are written against.

use std::{marker::PhantomData, time::Duration};

use diesel::{
    Connection, MysqlConnection, PgConnection, QueryResult, SqliteConnection,
    backend::Backend,
    connection::{LoadConnection, TransactionManager},
    r2d2::{ConnectionManager, Pool, PooledConnection, R2D2Connection},
};

use diesel_lockset::{
    LockDsl, LockError, LockSet, LockTarget, Locked, RunLockSet,
    bounds::{HasLockingClauses, IntoKey, LockingBackend},
};

use super::{mysql::MysqlFamily, postgres::Postgres, server::Server, sqlite::SqliteFile, statements::Statements};

/// One connection to the server, driven from one thread.
///
/// An asynchronous driver blocks on every future; see [`nonblocking`](super::nonblocking). What it keeps in a future is `Send`.
pub(crate) trait Session: Send + Sized + 'static {
    /// What the verbs of the crate take.
    type Conn;

    /// The kind of server at the other end.
    type Server: Server<Backend = Self::Backend>;

    /// What lock sets are built for. The verbs below are for those that have row locks.
    type Backend: Backend;

    /// How many statements a commit of the crate's is preceded by, because the connection does not tell whether the server has given the
    /// transaction up.
    const PROBES: usize = 0;

    /// A session of its own; panics if there is none to be had.
    fn connect(url: &str) -> Self;

    fn conn(&mut self) -> &mut Self::Conn;

    /// The server process of this session.
    fn pid(&mut self) -> i32;

    /// Runs one statement; the number of rows that it changed or selected.
    fn execute(&mut self, statement: &str) -> QueryResult<usize>;

    /// The one number that `query` selects, in this session.
    fn number(&mut self, query: &str) -> QueryResult<i64>;

    /// Listens to what this session sends from here on.
    fn overhear(&mut self) -> Statements;

    /// Begins a transaction, or a nested one, in a way that Diesel knows of.
    fn begin(&mut self) -> QueryResult<()>;

    /// Commits what the last `begin` began.
    fn commit(&mut self) -> QueryResult<()>;

    /// Rolls back what the last `begin` began.
    fn rollback(&mut self) -> QueryResult<()>;

    /// Begins with characteristics such as `ISOLATION LEVEL REPEATABLE READ` or `READ ONLY`.
    fn begin_as(&mut self, characteristics: &str) -> QueryResult<()>;

    // The verbs of the crate, one method each, so that a driver whose verbs are futures can block on them.

    fn lock_set<W: Send>(&mut self, set: LockSet<'_, Self::Backend, W>) -> Result<Locked, LockError>
    where
        Self::Backend: LockingBackend;

    fn lock<T: LockTarget<Self::Backend>>(&mut self, row: &T) -> Result<T, LockError>
    where
        Self::Backend: LockingBackend;

    fn lock_by_id<T: LockTarget<Self::Backend>>(&mut self, id: impl IntoKey<T::Key>) -> Result<T, LockError>
    where
        Self::Backend: LockingBackend;

    /// `row.no_wait().lock(..)`
    fn no_wait<T: LockTarget<Self::Backend>>(&mut self, row: &T) -> Result<T, LockError>
    where
        Self::Backend: LockingBackend;

    /// `row.skip_locked().lock(..)`
    fn skip_locked<T: LockTarget<Self::Backend>>(&mut self, row: &T) -> Result<Option<T>, LockError>
    where
        Self::Backend: HasLockingClauses;

    /// `row.timeout(time).lock(..)`
    fn timeout<T: LockTarget<Self::Backend>>(&mut self, row: &T, time: Duration) -> Result<T, LockError>
    where
        Self::Backend: LockingBackend;

    fn with_lock<T, R, E>(
        &mut self,
        row: &T,
        then: impl FnOnce(T, &mut Self::Conn) -> Result<R, E> + Send,
    ) -> Result<R, E>
    where
        Self::Backend: LockingBackend,
        T: LockTarget<Self::Backend>,
        R: Send,
        E: From<LockError> + From<diesel::result::Error> + Send;

    /// [`execute`](Self::execute) inside the closure of `with_lock`.
    fn execute_on(conn: &mut Self::Conn, statement: &str) -> QueryResult<usize>;
}

/// A plain `PgConnection`.
pub(crate) type Blocking = Direct<PgConnection>;

/// A connection handed out by a pool.
pub(crate) type Pooled = Direct<PooledConnection<ConnectionManager<PgConnection>>>;

/// A plain `MysqlConnection`.
pub(crate) type MysqlBlocking = Direct<MysqlConnection>;

/// A connection to MySQL or MariaDB handed out by a pool.
pub(crate) type MysqlPooled = Direct<PooledConnection<ConnectionManager<MysqlConnection>>>;

/// A `SqliteConnection` to a file with a rollback journal.
pub(crate) type SqliteBlocking = Direct<SqliteConnection, SqliteFile<false>>;

/// A `SqliteConnection` to a file with a write-ahead log.
pub(crate) type SqliteBlockingWal = Direct<SqliteConnection, SqliteFile<true>>;

/// A connection to SQLite handed out by a pool.
pub(crate) type SqlitePooled = Direct<PooledConnection<ConnectionManager<SqliteConnection>>, SqliteFile<true>>;

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

impl Open for PgConnection {
    type Server = Postgres;

    fn open(url: &str) -> Self {
        Postgres::connect(url)
    }
}

impl Open for MysqlConnection {
    type Server = MysqlFamily;

    fn open(url: &str) -> Self {
        MysqlFamily::connect(url)
    }
}

impl Open for SqliteConnection {
    type Server = SqliteFile<true>;

    fn open(url: &str) -> Self {
        SqliteFile::<true>::connect(url)
    }
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

#[cfg(test)]
mod tests {
    use super::{Blocking, Pooled, Session};
    use crate::support::arena::Arena;

    fn nests<S: Session>() {
        let arena = Arena::new();
        let mut session = S::connect(arena.url());
        let balance = "SELECT balance FROM accounts WHERE id = 1";
        session.begin().expect("begins");
        session.execute("UPDATE accounts SET balance = 11 WHERE id = 1").expect("updates");
        session.begin().expect("nests");
        session.execute("UPDATE accounts SET balance = 12 WHERE id = 1").expect("updates");
        assert_eq!(session.number(balance), Ok(12));
        session.rollback().expect("rolls the nested one back");
        assert_eq!(session.number(balance), Ok(11));
        assert_eq!(arena.number(balance), 10);
        session.commit().expect("commits");
        assert_eq!(arena.number(balance), 11);
    }

    fn takes_characteristics<S: Session>() {
        let arena = Arena::new();
        let mut session = S::connect(arena.url());
        session.begin_as("ISOLATION LEVEL REPEATABLE READ").expect("begins");
        assert_eq!(session.number("SELECT count(*) FROM accounts"), Ok(5));
        arena.execute("DELETE FROM accounts WHERE id = 5");
        assert_eq!(session.number("SELECT count(*) FROM accounts"), Ok(5));
        session.rollback().expect("rolls back");
        session.begin_as("READ ONLY").expect("begins");
        session.execute("DELETE FROM accounts").expect_err("read only");
        session.rollback().expect("rolls back");
    }

    #[test]
    fn transactions_nest() {
        nests::<Blocking>();
        nests::<Pooled>();
    }

    #[test]
    fn characteristics_hold_for_the_transaction() {
        takes_characteristics::<Blocking>();
        takes_characteristics::<Pooled>();
    }

    #[test]
    fn the_pid_is_the_servers() {
        let arena = Arena::new();
        let mut session = Pooled::connect(arena.url());
        let pid = i64::from(session.pid());
        assert_eq!(session.number("SELECT pg_backend_pid()"), Ok(pid));
    }
}
