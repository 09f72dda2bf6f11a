//! Connections that wrap one of Diesel's and count their transactions themselves: they look at nothing that the server says of
//! them.

use std::marker::PhantomData;

use diesel::{
    connection::{
        AnsiTransactionManager, CacheSize, Connection, ConnectionSealed, DefaultLoadingMode, Instrumentation,
        LoadConnection, SimpleConnection, TransactionDepthChange, TransactionManager, TransactionManagerStatus,
    },
    expression::QueryMetadata,
    query_builder::{Query, QueryFragment, QueryId},
    r2d2::R2D2Connection,
    result::{ConnectionResult, Error as DieselError, QueryResult},
};

use diesel_async::{AsyncPgConnection, async_connection_wrapper::AsyncConnectionWrapper};

use crate::support::{driver::Open, postgres::Postgres};

/// A connection within another one, with a transaction manager of its own.
pub(crate) struct Foreign<C, M: Manages> {
    inner: C,
    transactions: M::State,
    manager: PhantomData<M>,
}

/// How a [`Foreign`] connection counts its transactions.
pub(crate) trait Manages: Send + 'static {
    type State: Default + Send;
}

/// By Diesel's manager, over a state of its own.
impl Manages for AnsiTransactionManager {
    type State = AnsiTransactionManager;
}

/// By hand: it knows how deep it is, and nothing else.
pub(crate) enum Counts {}

impl Manages for Counts {
    type State = TransactionManagerStatus;
}

impl<C: Connection> TransactionManager<Foreign<C, Counts>> for Counts {
    type TransactionStateData = TransactionManagerStatus;

    fn begin_transaction(conn: &mut Foreign<C, Counts>) -> QueryResult<()> {
        match conn.transactions.transaction_depth()? {
            None => conn.inner.batch_execute("BEGIN")?,
            Some(depth) => conn.inner.batch_execute(&format!("SAVEPOINT diesel_savepoint_{depth}"))?,
        }
        deeper(conn, TransactionDepthChange::IncreaseDepth)
    }

    fn rollback_transaction(conn: &mut Foreign<C, Counts>) -> QueryResult<()> {
        let undone = match conn.transactions.transaction_depth()? {
            None => Err(DieselError::NotInTransaction),
            Some(depth) if depth.get() == 1 => conn.inner.batch_execute("ROLLBACK"),
            Some(depth) => {
                conn.inner.batch_execute(&format!("ROLLBACK TO SAVEPOINT diesel_savepoint_{}", depth.get() - 1))
            }
        };
        deeper(conn, TransactionDepthChange::DecreaseDepth)?;
        undone
    }

    fn commit_transaction(conn: &mut Foreign<C, Counts>) -> QueryResult<()> {
        match conn.transactions.transaction_depth()? {
            None => return Err(DieselError::NotInTransaction),
            Some(depth) if depth.get() == 1 => conn.inner.batch_execute("COMMIT")?,
            Some(depth) => {
                conn.inner.batch_execute(&format!("RELEASE SAVEPOINT diesel_savepoint_{}", depth.get() - 1))?
            }
        }
        deeper(conn, TransactionDepthChange::DecreaseDepth)
    }

    fn transaction_manager_status_mut(conn: &mut Foreign<C, Counts>) -> &mut TransactionManagerStatus {
        &mut conn.transactions
    }
}

fn deeper<C>(conn: &mut Foreign<C, Counts>, change: TransactionDepthChange) -> QueryResult<()> {
    match &mut conn.transactions {
        TransactionManagerStatus::Valid(status) => status.change_transaction_depth(change),
        TransactionManagerStatus::InError => Err(DieselError::BrokenTransactionManager),
    }
}

impl<C: Connection, M: Manages> SimpleConnection for Foreign<C, M> {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.inner.batch_execute(query)
    }
}

impl<C, M: Manages> ConnectionSealed for Foreign<C, M> {}

macro_rules! connections {
    ($($M:ty),*) => {$(
        impl<C: Connection> Connection for Foreign<C, $M> {
            type Backend = C::Backend;
            type TransactionManager = $M;

            fn establish(url: &str) -> ConnectionResult<Self> {
                Ok(Foreign { inner: C::establish(url)?, transactions: Default::default(), manager: PhantomData })
            }

            fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
            where
                T: QueryFragment<Self::Backend> + QueryId,
            {
                self.inner.execute_returning_count(source)
            }

            fn transaction_state(&mut self) -> &mut <$M as Manages>::State {
                &mut self.transactions
            }

            fn instrumentation(&mut self) -> &mut dyn Instrumentation {
                self.inner.instrumentation()
            }

            fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
                self.inner.set_instrumentation(instrumentation);
            }

            fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
                self.inner.set_prepared_statement_cache_size(size);
            }
        }
    )*};
}

// One by one: Diesel's manager is one of the connections that have it, and in general that would go round in a circle.
connections!(AnsiTransactionManager, Counts);

impl<C, M: Manages> LoadConnection<DefaultLoadingMode> for Foreign<C, M>
where
    C: LoadConnection<DefaultLoadingMode>,
    Self: Connection<Backend = C::Backend>,
{
    type Cursor<'conn, 'query>
        = C::Cursor<'conn, 'query>
    where
        Self: 'conn;
    type Row<'conn, 'query>
        = C::Row<'conn, 'query>
    where
        Self: 'conn;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Self::Backend> + QueryId + 'query,
        Self::Backend: QueryMetadata<T::SqlType>,
    {
        self.inner.load(source)
    }
}

impl<C, M: Manages> Open for Foreign<C, M>
where
    C: Open,
    Self: Connection<Backend = C::Backend> + LoadConnection,
{
    type Server = C::Server;

    fn open(url: &str) -> Self {
        Foreign { inner: C::open(url), transactions: M::State::default(), manager: PhantomData }
    }
}

impl<C, M: Manages> R2D2Connection for Foreign<C, M>
where
    Self: Connection,
{
    fn ping(&mut self) -> QueryResult<()> {
        self.batch_execute("SELECT 1")
    }
}

impl Open for AsyncConnectionWrapper<AsyncPgConnection> {
    type Server = Postgres;

    fn open(url: &str) -> Self {
        Self::establish(url).unwrap_or_else(|error| panic!("cannot connect to {url}: {error}"))
    }
}
