//! A session of a test, through any driver: what the contract and the interleavings are written against.

use std::time::Duration;

use diesel::{QueryResult, backend::Backend};

use diesel_lockset::{
    LockError, LockSet, LockTarget, Locked,
    bounds::{HasLockingClauses, IntoKey, LockingBackend},
};

use super::{server::Server, statements::Statements};

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
