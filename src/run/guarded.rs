//! A transaction that ends as its closure does: also by a panic, and not by a commit of nothing.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use diesel::{connection::TransactionManager, result::Error as DieselError};

use super::{blocking::LockConnection, transaction_end};
use crate::{
    diesel_internals::{is_aborted, transaction_depth},
    error::LockError,
};

/// Diesel's `transaction`, with three differences.
///
/// - A panic of the closure rolls back before it goes on unwinding. Diesel leaves the transaction open; a connection that
///   is used again after `catch_unwind` would go on in it.
/// - An error of the closure comes back also if the rollback fails, as it does when the connection is lost. Diesel returns
///   the error of the rollback.
/// - If the closure returns `Ok` although the server has given the transaction up, that is an error. Diesel commits, and the
///   server rolls back without a word.
pub(super) fn transaction<Conn, R, E>(conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
where
    Conn: LockConnection,
    E: From<LockError> + From<DieselError>,
{
    if transaction_depth(conn)?.is_some() {
        return run(conn, f);
    }
    transaction_end::after(conn, |conn| run(conn, f))
}

fn run<Conn, R, E>(conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
where
    Conn: LockConnection,
    E: From<LockError> + From<DieselError>,
{
    Conn::TransactionManager::begin_transaction(conn)?;
    let outcome = catch_unwind(AssertUnwindSafe(|| f(conn)));
    let outcome = match outcome {
        Ok(Ok(_)) if is_aborted(conn) => Ok(Err(LockError::Aborted.into())),
        outcome => outcome,
    };
    match outcome {
        Ok(Ok(value)) => {
            Conn::TransactionManager::commit_transaction(conn)?;
            Ok(value)
        }
        Ok(Err(error)) => {
            // What went wrong first says more than that it could not be undone; Diesel marks the connection as broken.
            let _ = Conn::TransactionManager::rollback_transaction(conn);
            Err(error)
        }
        Err(panic) => {
            let _ = Conn::TransactionManager::rollback_transaction(conn);
            resume_unwind(panic)
        }
    }
}
