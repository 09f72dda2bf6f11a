//! Sends a statement over a blocking connection.

use diesel::result::QueryResult;

use super::{connection::LockConnection, lost::heed, rows::each_row};
use crate::backend::{Answer, Exchange, LockingBackend};

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
