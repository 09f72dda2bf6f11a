//! The attempts of a [`LockTransaction`]: each begins, ends, and decides whether another one follows.

use std::{error::Error, ops::ControlFlow};

use diesel::result::Error as DieselError;

use super::{
    driver::Driver,
    trace,
    transaction::{Begun, begin_watched},
};
use crate::{
    error::LockError,
    transaction::{ClosureError, LockTransaction, Retries, Verdict},
};

/// A transaction that may be run several times.
pub(crate) struct Attempts<Hook, When> {
    transaction: LockTransaction<Hook, When>,
    retries: Retries,
    nested: bool,
}

impl<Hook, When> Attempts<Hook, When>
where
    Hook: FnMut(&(dyn Error + 'static), u32),
    When: FnMut(&(dyn Error + 'static)) -> bool,
{
    /// Fails inside an open transaction if an isolation level is wanted.
    pub(crate) fn new<D: Driver>(driver: &mut D, transaction: LockTransaction<Hook, When>) -> Result<Self, LockError> {
        let nested = driver.depth()?.is_some();
        if nested && transaction.options.isolation.is_some() {
            return Err(LockError::isolation_inside());
        }
        let retries = Retries::new(&transaction.options, nested);
        Ok(Attempts { transaction, retries, nested })
    }

    /// Begins the next attempt.
    pub(crate) async fn begin<D, E>(&mut self, driver: &mut D) -> Result<Begun, E>
    where
        D: Driver,
        E: From<DieselError>,
    {
        let options = &self.transaction.options;
        begin_watched(driver, options.isolation, options.deny_out_of_order, self.retries.until()).await
    }

    /// Takes the outcome of an attempt. Breaks with the result of the whole transaction, or sleeps until the next attempt.
    pub(crate) async fn ended<D, R, E, Kind>(
        &mut self,
        driver: &mut D,
        outcome: Result<R, E>,
    ) -> ControlFlow<Result<R, E>>
    where
        D: Driver,
        E: ClosureError<Kind> + From<LockError>,
    {
        let error = match outcome {
            Ok(value) => return ControlFlow::Break(Ok(value)),
            Err(error) => error,
        };
        let pause = match self.retries.judge(error.as_error(), &mut self.transaction.retry_when) {
            Verdict::Pass => return ControlFlow::Break(Err(error)),
            Verdict::GiveUp => {
                let (tries, elapsed) = (self.retries.tries(), self.retries.elapsed());
                trace::gave_up(error.as_error(), tries, elapsed);
                let (nested, source) = (self.nested, error.into_boxed());
                return ControlFlow::Break(Err(LockError::RetriesExhausted { tries, elapsed, nested, source }.into()));
            }
            Verdict::Retry(pause) => pause,
        };
        trace::retry(error.as_error(), self.retries.tries(), pause);
        (self.transaction.before_retry)(error.as_error(), self.retries.tries());
        drop(error);
        driver.sleep(pause).await;
        ControlFlow::Continue(())
    }
}
