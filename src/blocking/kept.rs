//! Takes prepared statements that have failed out of Diesel's cache.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use diesel::{
    connection::CacheSize,
    result::{Error as DieselError, QueryResult},
};

use super::{connection::LockConnection, driver::read};
use crate::backend::{KeptStatements, LockingBackend, sink};

/// Executes a statement that Diesel keeps prepared. If it fails, the connection forgets its prepared statements, and goes on to keep those that
/// follow.
pub(super) fn until_it_fails<DB, Conn>(
    conn: &mut Conn,
    kept: &KeptStatements<DB>,
    execute: impl FnOnce(&mut Conn) -> QueryResult<()>,
) -> QueryResult<()>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    let done = catch_unwind(AssertUnwindSafe(|| execute(conn)));
    match &done {
        Err(_) => forget(conn, true),
        Ok(Err(error @ DieselError::DatabaseError(..))) if !(kept.fails_early)(error) => {
            let keeps = catch_unwind(AssertUnwindSafe(|| keeps(conn, kept)));
            forget(conn, !matches!(keeps, Ok(Ok(false))));
            keeps.map(drop).unwrap_or_else(|panic| resume_unwind(panic));
        }
        Ok(_) => {}
    }
    done.unwrap_or_else(|panic| resume_unwind(panic))
}

fn forget<Conn: LockConnection>(conn: &mut Conn, keeps: bool) {
    conn.set_prepared_statement_cache_size(CacheSize::Disabled);
    if keeps {
        conn.set_prepared_statement_cache_size(CacheSize::Unbounded);
    }
}

/// Returns whether the connection keeps statements prepared: a query that is sent twice is then prepared once.
fn keeps<DB, Conn>(conn: &mut Conn, kept: &KeptStatements<DB>) -> QueryResult<bool>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    let mut numbers = [0; 2];
    for number in &mut numbers {
        let answer = sink(|row| {
            *number = (kept.number)(row)?;
            Ok(())
        });
        read(conn, (kept.prepared)(), answer)?;
    }
    Ok(numbers[0] == numbers[1])
}
