//! Reads the rows of a statement of the crate's.

use diesel::{
    query_builder::{Query, QueryFragment, QueryId},
    result::{Error as DieselError, QueryResult},
    sql_types::Untyped,
};

use super::connection::LockConnection;
use crate::{
    backend::{LockingBackend, Sink},
    diesel_internals::{DefaultLoadingMode, LoadConnection, RowRef},
};

/// Sends a statement and passes its rows to the sink.
pub(super) fn read<DB, Conn, Q>(conn: &mut Conn, statement: Q, mut sink: Sink<'_, DB>) -> QueryResult<()>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
    Q: Query<SqlType = Untyped> + QueryFragment<DB> + QueryId,
{
    for row in LoadConnection::<DefaultLoadingMode>::load(conn, statement)? {
        RowRef::of(&row?, |row| sink.row(row)).map_err(DieselError::DeserializationError)?;
    }
    Ok(())
}
