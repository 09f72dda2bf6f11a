//! Whether to run a transaction again, and when: decided here, slept elsewhere.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use diesel::result::Error as DieselError;

use super::{LockTransaction, When};
use crate::error::LockError;

/// The tries of one transaction.
pub(crate) struct Retries {
    pauses: ExponentialBackoff,
    began: Instant,
    deadline: Option<Duration>,
    contended: bool,
    timed_out: bool,
    allowed: bool,
    tries: u32,
}

/// What to do about an error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is not one that running again could mend.
    Pass,
    /// Run again, after a pause.
    Retry(Duration),
    /// Running again could mend it, but there were enough tries.
    GiveUp,
}

impl Retries {
    pub(crate) fn new(transaction: &LockTransaction<'_>, nested: bool) -> Self {
        let (first, longest) = transaction.backoff;
        let pauses = ExponentialBuilder::default()
            .with_min_delay(first)
            .with_max_delay(longest)
            .with_max_times(if nested { 0 } else { transaction.retries as usize })
            .with_jitter()
            .build();
        Retries {
            pauses,
            began: Instant::now(),
            deadline: transaction.deadline,
            contended: transaction.retry_contended,
            timed_out: transaction.retry_timed_out,
            allowed: transaction.retries > 0,
            tries: 0,
        }
    }

    pub(crate) fn judge(&mut self, error: &(dyn Error + 'static), retry_when: Option<&mut When<'_>>) -> Verdict {
        self.tries += 1;
        // What may have been done is not done again, whoever asks for it.
        if may_be_committed(error) {
            return Verdict::Pass;
        }
        let asked = retry_when.is_some_and(|retry_when| retry_when(error));
        if !self.allowed || !(asked || self.is_mendable(error)) {
            return Verdict::Pass;
        }
        let Some(pause) = self.pauses.next() else { return Verdict::GiveUp };
        let late = self.deadline.is_some_and(|deadline| self.began.elapsed().saturating_add(pause) > deadline);
        if late { Verdict::GiveUp } else { Verdict::Retry(pause) }
    }

    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The first error in the chain that says what class it is of decides.
    fn is_mendable(&self, error: &(dyn Error + 'static)) -> bool {
        let mut next = Some(error);
        while let Some(error) = next {
            // What an inner transaction gave up is as good as what it gave up on.
            match error.downcast_ref::<LockError>() {
                Some(LockError::GaveUp { .. }) | None => {}
                Some(error) => return self.may_retry(error),
            }
            if let Some(error) = error.downcast_ref::<DieselError>() {
                return LockError::is_retryable_below(error);
            }
            next = error.source();
        }
        false
    }

    fn may_retry(&self, error: &LockError) -> bool {
        match error {
            LockError::Contended { .. } => self.contended,
            LockError::TimedOut { .. } => self.timed_out,
            error => error.is_retryable(),
        }
    }
}

/// Whether the error, or one beneath it, is that of a commit of unknown outcome, also inside an error of Diesel's.
fn may_be_committed(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let ours = error.downcast_ref::<LockError>().or_else(|| match error.downcast_ref::<DieselError>() {
            Some(DieselError::QueryBuilderError(inner)) => inner.downcast_ref::<LockError>(),
            _ => None,
        });
        if matches!(ours, Some(LockError::CommitUnknown(_))) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved() -> LockError {
        LockError::Moved { table: "\"t\"".to_owned() }
    }

    #[test]
    fn tries_are_counted_and_end() {
        let mut retries = Retries::new(&LockTransaction::new().retries(2), false);
        assert!(matches!(retries.judge(&moved(), None), Verdict::Retry(_)));
        assert!(matches!(retries.judge(&moved(), None), Verdict::Retry(_)));
        assert_eq!(retries.judge(&moved(), None), Verdict::GiveUp);
        assert_eq!(retries.tries(), 3);
    }

    #[test]
    fn what_cannot_be_mended_passes() {
        let mut retries = Retries::new(&LockTransaction::new(), false);
        assert_eq!(retries.judge(&LockError::NotInTransaction, None), Verdict::Pass);
        let timed_out = || LockError::TimedOut { attempt: None, source: None };
        assert_eq!(retries.judge(&timed_out(), None), Verdict::Pass);
        let mut retries = Retries::new(&LockTransaction::new().retry_timed_out(), false);
        assert!(matches!(retries.judge(&timed_out(), None), Verdict::Retry(_)));
    }

    #[test]
    fn a_commit_of_unknown_outcome_passes_whoever_asks() {
        let unknown = || LockError::CommitUnknown(DieselError::NotFound);
        let mut always = |_: &(dyn Error + 'static)| true;
        let mut retries = Retries::new(&LockTransaction::new(), false);
        assert_eq!(retries.judge(&unknown(), None), Verdict::Pass);
        assert_eq!(retries.judge(&unknown(), Some(&mut always)), Verdict::Pass);
        assert_eq!(retries.judge(&DieselError::from(unknown()), Some(&mut always)), Verdict::Pass);
        assert!(matches!(LockError::from(DieselError::from(unknown())), LockError::CommitUnknown(_)));
        assert!(!unknown().is_retryable() && !unknown().transaction_is_lost());
    }

    #[test]
    fn nested_ones_give_up_at_once_and_pauses_keep_within_the_deadline() {
        assert_eq!(Retries::new(&LockTransaction::new(), true).judge(&moved(), None), Verdict::GiveUp);
        let transaction = LockTransaction::new().deadline(Duration::ZERO);
        assert_eq!(Retries::new(&transaction, false).judge(&moved(), None), Verdict::GiveUp);
    }

    #[test]
    fn the_class_is_found_beneath_an_error_of_the_users_own() {
        #[derive(Debug, thiserror::Error)]
        #[error("the transfer failed")]
        struct Own(#[source] LockError);

        let mut retries = Retries::new(&LockTransaction::new(), false);
        assert!(matches!(retries.judge(&Own(moved()), None), Verdict::Retry(_)));
        assert_eq!(retries.judge(&Own(LockError::NotInTransaction), None), Verdict::Pass);
    }
}
