//! Running a transaction, again if need be, over a blocking connection.

use std::{error::Error, ops::ControlFlow};

use diesel::result::Error as DieselError;

use super::{
    connection::LockConnection,
    driver::{Blocking, in_transaction, now},
};
use crate::{
    core::Attempts,
    error::LockError,
    transaction::{ClosureError, Concrete, LockTransaction},
};

/// Runs a [`LockTransaction`] over a blocking connection.
///
/// `Kind` says how the closure's error is looked into, and is inferred from it: errors that implement
/// [`Error`](std::error::Error) are `Concrete`, those that point to one (`anyhow::Error`, `Box<dyn Error + Send + Sync>`) are not.
pub trait RunLockTransaction<Kind = Concrete> {
    /// Opens a transaction, runs the closure in it and commits; runs it again if it lost against another transaction.
    ///
    /// Blocks while the closure does, and during the pauses between tries.
    ///
    /// # Errors
    ///
    /// The closure's error, unchanged, if it is not one to retry. [`LockError::RetriesExhausted`], turned into the closure's error
    /// type, with the number of tries and the last error, if it is and the retries or the time are used up. Diesel's errors
    /// of `BEGIN` and `COMMIT`. [`LockError::Aborted`] if the closure returns `Ok` and its transaction is over. In each case nothing of
    /// the closure's work is kept, but for what it has committed by itself.
    ///
    /// [`LockError::CommitUnknown`] if the answer to the `COMMIT` is lost: the work may be kept. It is never run again.
    ///
    /// # Panics
    ///
    /// If the closure does: the transaction is rolled back first.
    fn run<Conn, R, E>(self, conn: &mut Conn, f: impl FnMut(&mut Conn) -> Result<R, E>) -> Result<R, E>
    where
        Conn: LockConnection,
        E: ClosureError<Kind> + From<LockError> + From<DieselError>;
}

impl<Kind, Hook, When> RunLockTransaction<Kind> for LockTransaction<Hook, When>
where
    Hook: FnMut(&(dyn Error + 'static), u32),
    When: FnMut(&(dyn Error + 'static)) -> bool,
{
    fn run<Conn, R, E>(self, conn: &mut Conn, mut f: impl FnMut(&mut Conn) -> Result<R, E>) -> Result<R, E>
    where
        Conn: LockConnection,
        E: ClosureError<Kind> + From<LockError> + From<DieselError>,
    {
        let mut attempts = Attempts::new(&mut Blocking(conn), self)?;
        loop {
            let begun = now(attempts.begin::<_, E>(&mut Blocking(conn)));
            let outcome = begun.and_then(|begun| in_transaction(conn, begun, &mut f));
            if let ControlFlow::Break(ended) = now(attempts.ended(&mut Blocking(conn), outcome)) {
                return ended;
            }
        }
    }
}
