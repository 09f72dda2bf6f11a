//! Sends a statement over a blocking connection and has its rows read.

use diesel::{
    deserialize,
    query_builder::{Query, QueryFragment, QueryId},
    result::{Error as DieselError, QueryResult},
    sql_types::Untyped,
};

use super::{blocking::LockConnection, lost::heed};
use crate::{
    backend::{Answer, Exchange, LockingBackend},
    diesel_internals::{DefaultLoadingMode, LoadConnection, RowRef},
};

/// For statements that lock rows, and what belongs to them: their errors can be the end of the transaction.
pub(super) fn send<DB, Conn>(conn: &mut Conn, exchange: Exchange<'_, DB>) -> QueryResult<()>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    let Exchange { statement, answer } = exchange;
    let sent = match answer {
        Answer::Rows(mut reader) => each_row(conn, statement, |row| reader.row(row)),
        Answer::Changed(sum) => conn.execute_returning_count(&statement).map(|changed| *sum += changed),
        Answer::Nothing => conn.execute_returning_count(&statement).map(drop),
    };
    heed(conn, sent)
}

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
