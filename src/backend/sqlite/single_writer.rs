//! The statements and errors of transactions that are the only writer of the database.

use diesel::{
    deserialize,
    query_builder::{AstPass, QueryFragment},
    result::{Error, QueryResult},
    row::Row,
    sql_types::BigInt,
    sqlite::Sqlite,
};

use crate::{
    backend::SingleWriter,
    diesel_internals::{RowRef, Statement},
    error::LockError,
};

/// A transaction of the crate's [begins][begin] with `IMMEDIATE`. A plain `BEGIN` makes a reader, which can fail to become the writer.
///
/// [begin]: https://www.sqlite.org/lang_transaction.html#deferred_immediate_and_exclusive_transactions
pub(super) const SINGLE_WRITER: SingleWriter<Sqlite> = SingleWriter {
    begin: "BEGIN IMMEDIATE",
    commit: "COMMIT",
    // When a text sent by `batch_execute` fails, Diesel asks SQLite whether a transaction is open, and corrects its record.
    check_open: "RELEASE `diesel_lockset: no such savepoint`",
    replace: |savepoints| {
        let savepoints = (1..=savepoints).map(|number| format!("; SAVEPOINT diesel_savepoint_{number}"));
        format!("BEGIN{}", savepoints.collect::<String>())
    },
    is_busy: LockError::is_busy,
    is_over: LockError::is_over,
    ask_limit: || Statement::new(BusyTimeout),
    limit: busy_timeout,
};

/// Reads the [time][pragma] that the connection waits before a statement fails as busy.
///
/// [pragma]: https://www.sqlite.org/pragma.html#pragma_busy_timeout
pub(super) struct BusyTimeout;

impl QueryFragment<Sqlite> for BusyTimeout {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql("PRAGMA busy_timeout");
        Ok(())
    }
}

/// Reads the row of [`BusyTimeout`], in milliseconds.
pub(super) fn busy_timeout(row: &RowRef<'_, Sqlite>) -> deserialize::Result<i64> {
    row.get_value::<BigInt, i64, _>(0)
}

/// Sets that time.
pub(super) struct SetBusyTimeout(pub(super) i64);

impl QueryFragment<Sqlite> for SetBusyTimeout {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        // A pragma takes no parameters.
        pass.unsafe_to_cache_prepared();
        pass.push_sql("PRAGMA busy_timeout = ");
        pass.push_sql(&self.0.to_string());
        Ok(())
    }
}

/// Returns the error with which Diesel reports a busy database, if it is one.
pub(super) fn busy(error: &LockError) -> Option<&Error> {
    match error {
        LockError::TimedOut { source: Some(source), .. } | LockError::Contended { source: Some(source), .. } => {
            Some(&**source).filter(|source| LockError::is_busy(source))
        }
        _ => None,
    }
}
