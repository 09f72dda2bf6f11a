//! Takes prepared statements that have failed out of Diesel's cache.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use diesel::{
    connection::{CacheSize, TransactionManager},
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    result::{Error as DieselError, QueryResult},
    sql_types::Untyped,
};

use super::{connection::LockConnection, read::read};
use crate::{
    backend::{KeptStatements, LockingBackend, Sink},
    diesel_internals::{Borrowed, Statement},
};

/// Executes a statement that Diesel keeps prepared. If it fails, the connection forgets its prepared statements, and goes on to keep those that
/// follow.
pub(super) fn until_it_fails<DB, Conn>(
    conn: &mut Conn,
    kept: &KeptStatements,
    statement: &Statement<'_, DB>,
    sink: Sink<'_, DB>,
) -> QueryResult<()>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    let sent = Watched { fragment: statement, balance: Cell::new(0) };
    let done = catch_unwind(AssertUnwindSafe(|| read(conn, Borrowed(&sent), sink)));
    let failed = match &done {
        Ok(Err(error @ DieselError::DatabaseError(..))) => !(kept.fails_early)(error),
        Ok(_) => false,
        Err(_) => true,
    };
    // A statement that was not prepared is not kept.
    if failed && sent.is_prepared() {
        forget(conn, kept);
    }
    done.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Empties the cache of prepared statements. If it cannot be found out whether there is one, the connection is marked as broken.
fn forget<DB, Conn>(conn: &mut Conn, kept: &KeptStatements)
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    let (keeps, panic) = keeps(conn, kept);
    conn.set_prepared_statement_cache_size(CacheSize::Disabled);
    match keeps {
        Some(true) => conn.set_prepared_statement_cache_size(CacheSize::Unbounded),
        Some(false) => {}
        None => Conn::TransactionManager::transaction_manager_status_mut(conn).set_in_error(),
    }
    if let Some(panic) = panic {
        resume_unwind(panic);
    }
}

/// The largest number of times that a statement is sent to find out whether it is kept: it may be cancelled.
const TRIES: usize = 8;

/// Returns whether the connection keeps statements prepared, and the panic of its instrumentation. One that does finds a statement when it is
/// sent again.
fn keeps<DB, Conn>(conn: &mut Conn, kept: &KeptStatements) -> (Option<bool>, Option<Box<dyn Any + Send>>)
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    let (mut prepared, mut panicked) = (false, None);
    for _ in 0..TRIES {
        let nothing = Nothing { text: kept.nothing, walks: Cell::new(0) };
        match catch_unwind(AssertUnwindSafe(|| conn.execute_returning_count(&nothing))) {
            Ok(Ok(_)) if nothing.is_found() => return (Some(true), panicked),
            Ok(Ok(_)) if prepared => return (Some(false), panicked),
            Ok(Ok(_)) => prepared = true,
            Ok(Err(_)) => {}
            Err(panic) => panicked = Some(panic),
        }
    }
    (None, panicked)
}

/// A statement that does nothing, which Diesel finds in its cache by its type.
struct Nothing {
    text: &'static str,
    walks: Cell<u32>,
}

impl Nothing {
    /// Returns whether Diesel has found it in its cache, and not asked for its text.
    ///
    /// A statement that was executed has been walked to see whether it may be kept, and for its values; if it was prepared, also for its text. To
    /// show it to the instrumentation it is walked twice, for its text and for its values.
    fn is_found(&self) -> bool {
        self.walks.get() % 2 == 0
    }
}

impl<DB: LockingBackend> QueryFragment<DB> for Nothing {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.walks.set(self.walks.get() + 1);
        pass.push_sql(self.text);
        Ok(())
    }
}

impl QueryId for Nothing {
    type QueryId = Nothing;
    const HAS_STATIC_QUERY_ID: bool = true;
}

/// A statement with the record of how often it was walked, less how often it was asked for its text.
struct Watched<'q, F> {
    fragment: &'q F,
    balance: Cell<i32>,
}

impl<F> Watched<'_, F> {
    /// Returns whether Diesel has prepared the statement, or found it in its cache, by its text. Before that, it is asked for its text and walked
    /// to see whether it may be kept, afterwards it is walked for its values.
    fn is_prepared(&self) -> bool {
        self.balance.get() > 0
    }
}

impl<F: QueryFragment<DB>, DB: LockingBackend> QueryFragment<DB> for Watched<'_, F> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.balance.set(self.balance.get() + 1);
        self.fragment.walk_ast(pass)
    }

    fn to_sql(&self, out: &mut DB::QueryBuilder, backend: &DB) -> QueryResult<()> {
        self.balance.set(self.balance.get() - 1);
        self.fragment.to_sql(out, backend)
    }
}

impl<F> Query for Watched<'_, F> {
    type SqlType = Untyped;
}

impl<F> QueryId for Watched<'_, F> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
