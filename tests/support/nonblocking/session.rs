//! A session of a test over a connection of `diesel-async`.

use diesel_async::AsyncConnection;

use super::{Blocked, block_on, runtime};

/// A session whose calls are futures, each of which is blocked on.
pub(crate) struct Async<C> {
    pub(crate) conn: Option<Blocked<C>>,
    pub(crate) pid: i32,
}

impl<C> Async<C> {
    pub(crate) fn open_conn(&mut self) -> &mut Blocked<C> {
        self.conn.as_mut().expect("a connection until it is dropped")
    }
}

impl<C> Drop for Async<C> {
    /// Inside of the runtime: there the drivers say goodbye to the server.
    fn drop(&mut self) {
        let _runtime = runtime().enter();
        drop(self.conn.take());
    }
}

/// A plain connection.
pub(crate) fn establish<C: AsyncConnection>(url: &str) -> C {
    block_on(C::establish(url)).unwrap_or_else(|error| panic!("cannot connect to {url}: {error}"))
}

/// Sessions over connections, named with how they are opened and how they skip rows. For each connection by itself: both Diesel and `diesel-async` have a `Backend` for it, which generic code would have to tell apart.
macro_rules! sessions {
    ($($Conn:ty, $Server:ty, $Backend:ty, $skips:ident, |$url:ident| $open:expr;)*) => {$(
        impl Session for Async<$Conn> {
            type Conn = Blocked<$Conn>;
            type Server = $Server;
            type Backend = $Backend;

            fn connect($url: &str) -> Self {
                let conn: $Conn = $open;
                let mut conn = Blocked::from(conn);
                <$Server>::prepare(&mut conn);
                let pid = <$Server>::session_number(&mut conn);
                Self { conn: Some(conn), pid }
            }

            fn conn(&mut self) -> &mut Self::Conn {
                self.open_conn()
            }

            fn pid(&mut self) -> i32 {
                self.pid
            }

            fn execute(&mut self, statement: &str) -> QueryResult<usize> {
                <$Server>::execute(self.open_conn(), statement)
            }

            fn number(&mut self, query: &str) -> QueryResult<i64> {
                <$Server>::number(self.open_conn(), query)
            }

            fn overhear(&mut self) -> Statements {
                let statements = Statements::default();
                Connection::set_instrumentation(self.open_conn(), statements.listener());
                statements
            }

            fn begin(&mut self) -> QueryResult<()> {
                <Self::Conn as Connection>::TransactionManager::begin_transaction(self.open_conn())
            }

            fn commit(&mut self) -> QueryResult<()> {
                <Self::Conn as Connection>::TransactionManager::commit_transaction(self.open_conn())
            }

            fn rollback(&mut self) -> QueryResult<()> {
                <Self::Conn as Connection>::TransactionManager::rollback_transaction(self.open_conn())
            }

            fn begin_as(&mut self, characteristics: &str) -> QueryResult<()> {
                <$Server>::begin_as(self.open_conn(), characteristics)
            }

            fn lock_set<W: Send>(&mut self, set: LockSet<'_, $Backend, W>) -> Result<Locked, LockError> {
                set.lock(self.open_conn())
            }

            fn lock<T: LockTarget<$Backend>>(&mut self, row: &T) -> Result<T, LockError> {
                LockDsl::lock(row, self.open_conn())
            }

            fn lock_by_id<T: LockTarget<$Backend>>(&mut self, id: impl IntoKey<T::Key>) -> Result<T, LockError> {
                <T as LockDsl>::lock_by_id(id, self.open_conn())
            }

            fn no_wait<T: LockTarget<$Backend>>(&mut self, row: &T) -> Result<T, LockError> {
                row.no_wait().lock(self.open_conn())
            }

            fn skip_locked<T: LockTarget<$Backend>>(&mut self, row: &T) -> Result<Option<T>, LockError> {
                $skips!(row, self.open_conn())
            }

            fn timeout<T: LockTarget<$Backend>>(&mut self, row: &T, time: Duration) -> Result<T, LockError> {
                row.timeout(time).lock(self.open_conn())
            }

            fn with_lock<T, R, E>(
                &mut self,
                row: &T,
                then: impl FnOnce(T, &mut Self::Conn) -> Result<R, E> + Send,
            ) -> Result<R, E>
            where
                T: LockTarget<$Backend>,
                R: Send,
                E: From<LockError> + From<DieselError> + Send,
            {
                LockDsl::with_lock(row, self.open_conn(), then)
            }

            fn execute_on(conn: &mut Self::Conn, statement: &str) -> QueryResult<usize> {
                <$Server>::execute(conn, statement)
            }
        }
    )*};
}

pub(crate) use sessions;
