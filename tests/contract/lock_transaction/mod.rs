//! `LockTransaction`: what is run again and when, and what comes back otherwise.

use diesel::result::Error as DieselError;
use diesel_lockset::{LockError, LockSet};

use super::{
    Arena, Driver,
    verbs::{self, RunLockSet, RunLockTransaction},
};
use crate::support::{driver::Session, models::Account};

mod disorder;
mod endings;
mod nested;
mod own_errors;
mod pauses;
mod retries;
mod workload;

type Conn = <Driver as Session>::Conn;

/// An error type as applications have.
#[derive(Debug, thiserror::Error)]
enum Own {
    #[error("a lock was not to be had")]
    Lock(#[from] LockError),
    #[error("the database refused")]
    Database(#[from] DieselError),
    #[error("{0} is not enough")]
    TooPoor(i32),
}

fn run<R, E>(
    s: &mut Driver,
    transaction: impl RunLockTransaction,
    f: impl FnMut(&mut Conn) -> Result<R, E> + Send,
) -> Result<R, E>
where
    R: Send,
    E: std::error::Error + From<LockError> + From<DieselError> + Send + Sync + 'static,
{
    run_on(s.conn(), transaction, f)
}

fn run_on<R, E>(
    conn: &mut Conn,
    transaction: impl RunLockTransaction,
    f: impl FnMut(&mut Conn) -> Result<R, E> + Send,
) -> Result<R, E>
where
    R: Send,
    E: std::error::Error + From<LockError> + From<DieselError> + Send + Sync + 'static,
{
    RunLockTransaction::run(transaction, conn, f)
}

fn lock(conn: &mut Conn, ids: &[i32]) -> Result<Vec<Account>, LockError> {
    LockSet::new().ids::<Account>(ids.iter().copied()).lock(conn).map(|mut locked| locked.take_rows())
}

/// Changes account `id`, in a way that shows how often it was done.
fn touch(conn: &mut Conn, id: i32) -> Result<(), LockError> {
    let changed = Driver::execute_on(conn, &format!("UPDATE accounts SET v = v + 1 WHERE id = {id}"))?;
    assert_eq!(changed, 1);
    Ok(())
}

/// An error that says: run it again.
fn moved() -> LockError {
    LockError::LimitedRowsChanged { table: "accounts".to_owned() }
}
