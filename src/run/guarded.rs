//! A transaction that ends as its closure does: also by a panic, and not by a commit of nothing.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use diesel::{connection::TransactionManager, result::Error as DieselError};

use super::{
    connection::LockConnection,
    give_up::give_up,
    lost::{self, Tripwire},
    transaction_end,
};
use crate::{
    backend::LockingBackend,
    diesel_internals::{is_aborted, tells_of_aborts, transaction_depth},
    error::LockError,
    mode::Isolation,
};

/// Diesel's `transaction`, with five differences.
///
/// - A panic of the closure rolls back before it goes on unwinding. Diesel leaves the transaction open; a connection that
///   is used again after `catch_unwind` would go on in it.
/// - An error of the closure comes back also if the rollback fails, as it does when the connection is lost. Diesel returns
///   the error of the rollback.
/// - If the closure returns `Ok` although the server has given the transaction up, that is an error. Diesel commits, and the
///   server rolls back without a word. A connection that does not tell is no way around it: the server is asked.
/// - A commit whose answer is missing is [`CommitUnknown`](LockError::CommitUnknown). Diesel says that the connection is lost.
/// - Where the server rolls back by itself and goes on in autocommit, what follows is not committed, whether the closure has
///   met the error or swallowed it. If another transaction than ours is the outermost one, that holds from the end of this
///   one on; see [`lost`].
pub(super) fn transaction<Conn, R, E>(conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
where
    Conn: LockConnection,
    E: From<LockError> + From<DieselError>,
{
    transaction_at(None, conn, f)
}

/// The same at an isolation level, which the outermost transaction only can have.
pub(super) fn transaction_at<Conn, R, E>(
    isolation: Option<Isolation>,
    conn: &mut Conn,
    f: impl FnOnce(&mut Conn) -> Result<R, E>,
) -> Result<R, E>
where
    Conn: LockConnection,
    E: From<LockError> + From<DieselError>,
{
    if transaction_depth(conn)?.is_some() {
        return run(isolation, conn, f);
    }
    transaction_end::after(conn, |conn| run(isolation, conn, f))
}

fn run<Conn, R, E>(
    isolation: Option<Isolation>,
    conn: &mut Conn,
    f: impl FnOnce(&mut Conn) -> Result<R, E>,
) -> Result<R, E>
where
    Conn: LockConnection,
    E: From<LockError> + From<DieselError>,
{
    begin(isolation, conn)?;
    match Tripwire::arm(conn) {
        Ok(tripwire) => forgetting(isolation, conn, |conn| end_as(conn, tripwire, f)),
        Err(error) => {
            let _ = Conn::TransactionManager::rollback_transaction(conn);
            // Perhaps half of it was done.
            give_up(conn);
            Err(error.into())
        }
    }
}

/// Begins a transaction, at an isolation level if there is one to choose.
fn begin<Conn: LockConnection>(isolation: Option<Isolation>, conn: &mut Conn) -> Result<(), DieselError> {
    let isolate = |conn: &mut Conn| match isolation {
        Some(isolation) => conn.execute_returning_count(&Conn::Backend::isolate(isolation)).map(drop),
        None => Ok(()),
    };
    if Conn::Backend::ISOLATION_COMES_FIRST {
        isolate(conn)?;
        return Conn::TransactionManager::begin_transaction(conn);
    }
    Conn::TransactionManager::begin_transaction(conn)?;
    isolate(conn).inspect_err(|_| {
        let _ = Conn::TransactionManager::rollback_transaction(conn);
    })
}

/// The same for a closure that sends statements of ours only and swallows no error; what it changes it has [looked](lost::check)
/// for the transaction before.
pub(super) fn transaction_of_ours<Conn, R>(
    isolation: Option<Isolation>,
    conn: &mut Conn,
    f: impl FnOnce(&mut Conn) -> crate::Result<R>,
) -> crate::Result<R>
where
    Conn: LockConnection,
{
    begin(isolation, conn)?;
    forgetting(isolation, conn, |conn| end_as(conn, Tripwire::NONE, f))
}

/// Has the session forget the level of the transaction when that has ended.
fn forgetting<Conn: LockConnection, R>(
    isolation: Option<Isolation>,
    conn: &mut Conn,
    transaction: impl FnOnce(&mut Conn) -> R,
) -> R {
    let outcome = transaction(conn);
    if let (Some(_), Some(forget)) = (isolation, Conn::Backend::FORGET_ISOLATION) {
        if conn.batch_execute(forget).is_err() {
            give_up(conn);
        }
    }
    outcome
}

fn end_as<Conn, R, E>(conn: &mut Conn, tripwire: Tripwire, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
where
    Conn: LockConnection,
    E: From<LockError> + From<DieselError>,
{
    let outcome = catch_unwind(AssertUnwindSafe(|| f(conn)));
    let outcome = match outcome {
        Ok(Ok(value)) => Ok(is_alive(conn).and_then(|()| tripwire.check(conn)).map(|()| value)),
        outcome => outcome,
    };
    let outcome = match outcome {
        Ok(Ok(value)) => Ok(commit(conn).map(|()| value)),
        failed => {
            // What went wrong first says more than that it could not be undone; Diesel marks the connection as broken.
            let _ = Conn::TransactionManager::rollback_transaction(conn);
            failed
        }
    };
    lost::heed_outer(conn);
    tripwire.disarm(conn);
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Fails if the server has given the transaction up.
fn is_alive<Conn, E>(conn: &mut Conn) -> Result<(), E>
where
    Conn: LockConnection,
    E: From<LockError> + From<DieselError>,
{
    match Conn::Backend::PROBE {
        _ if is_aborted(conn) => Err(LockError::Aborted.into()),
        Some(probe) if !tells_of_aborts::<Conn>() => conn.batch_execute(probe).map_err(|error| lost::lost(error, conn)),
        _ => Ok(()),
    }
}

fn commit<Conn, E>(conn: &mut Conn) -> Result<(), E>
where
    Conn: LockConnection,
    E: From<LockError> + From<DieselError>,
{
    match transaction_depth(conn)? {
        // The closure has ended the transaction, and the server told Diesel. It may have begun another one since.
        None => {
            if conn.batch_execute("ROLLBACK").is_err() {
                give_up(conn);
            }
            Err(LockError::Aborted.into())
        }
        Some(depth) if depth.get() > 1 => lost::release(conn),
        Some(_) => Conn::TransactionManager::commit_transaction(conn)
            .map_err(|error| LockError::of_commit(error).map_or_else(E::from, E::from)),
    }
}
