//! Has the rows of a statement read, as they come.

use diesel::{
    deserialize,
    query_builder::{Query, QueryFragment, QueryId},
    result::{Error as DieselError, QueryResult},
    sql_types::Untyped,
};

use super::connection::LockConnection;
use crate::{
    backend::LockingBackend,
    diesel_internals::{DefaultLoadingMode, LoadConnection, RowRef},
};

pub(super) fn each_row<DB, Conn, Q>(
    conn: &mut Conn,
    statement: Q,
    mut read: impl FnMut(&RowRef<'_, DB>) -> deserialize::Result<()>,
) -> QueryResult<()>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
    Q: Query<SqlType = Untyped> + QueryFragment<DB> + QueryId,
{
    for row in LoadConnection::<DefaultLoadingMode>::load(conn, statement)? {
        RowRef::of(&row?, &mut read).map_err(DieselError::DeserializationError)?;
    }
    Ok(())
}
