//! The calls of these tests, over a connection of any kind.

use diesel::result::Error as DieselError;
use diesel_lockset::{LockError, LockSet};

use super::{
    Driver,
    verbs::{RunLockSet, RunLockTransaction},
};
use crate::support::{driver::Session, models::Account};

pub(super) type Conn = <Driver as Session>::Conn;

/// An error type as applications have.
#[derive(Debug, thiserror::Error)]
pub(super) enum Own {
    #[error("a lock was not to be had")]
    Lock(#[from] LockError),
    #[error("the database refused")]
    Database(#[from] DieselError),
    #[error("{0} is not enough")]
    TooPoor(i32),
}

pub(super) fn run<R, E>(
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

pub(super) fn run_on<R, E>(
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

pub(super) fn lock(conn: &mut Conn, ids: &[i32]) -> Result<Vec<Account>, LockError> {
    LockSet::new().ids::<Account>(ids.iter().copied()).lock(conn).map(|mut locked| locked.take_rows())
}

/// Changes account `id`, in a way that shows how often it was done.
pub(super) fn touch(conn: &mut Conn, id: i32) -> Result<(), LockError> {
    let changed = Driver::execute_on(conn, &format!("UPDATE accounts SET v = v + 1 WHERE id = {id}"))?;
    assert_eq!(changed, 1);
    Ok(())
}

/// An error that says: run it again.
pub(super) fn moved() -> LockError {
    LockError::LimitedRowsChanged { table: "accounts".to_owned() }
}
