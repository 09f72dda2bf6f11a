//! Running a transaction, again if need be, over a blocking connection.

use diesel::result::Error as DieselError;

use super::{
    connection::LockConnection,
    driver::{Blocking, in_transaction, now},
};
use crate::{
    core::{self, Driver},
    error::LockError,
    transaction::{ClosureError, Concrete, LockTransaction, Retries, Verdict},
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

impl<Kind> RunLockTransaction<Kind> for LockTransaction<'_> {
    fn run<Conn, R, E>(mut self, conn: &mut Conn, mut f: impl FnMut(&mut Conn) -> Result<R, E>) -> Result<R, E>
    where
        Conn: LockConnection,
        E: ClosureError<Kind> + From<LockError> + From<DieselError>,
    {
        let nested = Blocking(conn).depth()?.is_some();
        if nested && self.isolation.is_some() {
            return Err(DieselError::AlreadyInTransaction.into());
        }
        let mut retries = Retries::new(&self, nested);
        let hook = &mut self.hook;
        loop {
            let begun = now(core::begin_watched::<_, E>(&mut Blocking(conn), self.isolation, self.deny_out_of_order));
            let outcome = begun.and_then(|begun| in_transaction(conn, begun, &mut f));
            let error = match outcome {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            match retries.judge(error.as_error(), self.retry_when.as_deref_mut()) {
                Verdict::Pass => return Err(error),
                Verdict::GiveUp => {
                    let (tries, elapsed) = (retries.tries(), retries.elapsed());
                    return Err(
                        LockError::RetriesExhausted { tries, elapsed, nested, source: error.into_boxed() }.into()
                    );
                }
                Verdict::Retry(pause) => {
                    if let Some(hook) = hook {
                        hook(error.as_error(), retries.tries());
                    }
                    std::thread::sleep(pause);
                }
            }
        }
    }
}
