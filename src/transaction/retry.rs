//! Decides whether a failed transaction is run again, and after which pause. The caller sleeps.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::Options;
use crate::error::RetryClass;

/// The tries of one transaction: counts them and judges their errors.
pub(crate) struct Retries {
    pauses: ExponentialBackoff,
    began: Instant,
    deadline: Option<Duration>,
    contended: bool,
    timed_out: bool,
    allowed: bool,
    tries: u32,
}

/// The decision about an error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Return the error: it is not retryable, or no retries are allowed.
    Pass,
    /// Run the transaction again, after this pause.
    Retry(Duration),
    /// Give up: the error is retryable, but the retries or the time are used up.
    GiveUp,
}

impl Retries {
    pub(crate) fn new(options: &Options, nested: bool) -> Self {
        let (first, longest) = options.backoff;
        let pauses = ExponentialBuilder::default()
            .with_min_delay(first)
            .with_max_delay(longest)
            .with_max_times(if nested { 0 } else { options.retries as usize })
            .with_jitter()
            .build();
        Retries {
            pauses,
            began: Instant::now(),
            deadline: options.deadline,
            contended: options.retry_contended,
            timed_out: options.retry_timed_out,
            allowed: options.retries > 0,
            tries: 0,
        }
    }

    pub(crate) fn judge(
        &mut self,
        error: &(dyn Error + 'static),
        retry_when: &mut impl FnMut(&(dyn Error + 'static)) -> bool,
    ) -> Verdict {
        self.tries += 1;
        let class = RetryClass::of(error);
        if class == Some(RetryClass::CommitUnknown) {
            return Verdict::Pass;
        }
        let asked = retry_when(error);
        if !self.allowed || !(asked || self.is_mendable(class)) {
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

    /// Returns the time after which no retry begins, and up to which a try waits to begin where it has to.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.began.checked_add(self.deadline?)
    }

    fn is_mendable(&self, class: Option<RetryClass>) -> bool {
        match class {
            Some(RetryClass::Retryable) => true,
            Some(RetryClass::Contended) => self.contended,
            Some(RetryClass::TimedOut) => self.timed_out,
            Some(RetryClass::CommitUnknown) | None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use diesel::result::{DatabaseErrorKind, Error as DieselError};

    use super::*;
    use crate::{
        error::{LockError, Refusal},
        transaction::LockTransaction,
    };

    fn retries(transaction: LockTransaction, nested: bool) -> Retries {
        Retries::new(&transaction.options, nested)
    }

    fn never(_: &(dyn Error + 'static)) -> bool {
        false
    }

    fn moved() -> LockError {
        LockError::LimitedRowsChanged { table: "\"t\"".to_owned() }
    }

    #[test]
    fn tries_are_counted_and_end() {
        let mut tries = retries(LockTransaction::new().retries(2), false);
        assert!(matches!(tries.judge(&moved(), &mut never), Verdict::Retry(_)));
        assert!(matches!(tries.judge(&moved(), &mut never), Verdict::Retry(_)));
        assert_eq!(tries.judge(&moved(), &mut never), Verdict::GiveUp);
        assert_eq!(tries.tries(), 3);
    }

    #[test]
    fn what_cannot_be_mended_passes() {
        let mut tries = retries(LockTransaction::new(), false);
        assert_eq!(tries.judge(&LockError::NotInTransaction, &mut never), Verdict::Pass);
        let timed_out = || LockError::TimedOut { attempt: None, source: None };
        assert_eq!(tries.judge(&timed_out(), &mut never), Verdict::Pass);
        let mut tries = retries(LockTransaction::new().retry_timed_out(), false);
        assert!(matches!(tries.judge(&timed_out(), &mut never), Verdict::Retry(_)));
    }

    #[test]
    fn a_commit_of_unknown_outcome_passes_whoever_asks() {
        let unknown = || LockError::CommitUnknown(Refusal::commit_unknown(DieselError::NotFound));
        let mut always = |_: &(dyn Error + 'static)| true;
        let mut tries = retries(LockTransaction::new(), false);
        assert_eq!(tries.judge(&unknown(), &mut never), Verdict::Pass);
        assert_eq!(tries.judge(&unknown(), &mut always), Verdict::Pass);
        assert_eq!(tries.judge(&DieselError::from(unknown()), &mut always), Verdict::Pass);
        assert!(matches!(LockError::from(DieselError::from(unknown())), LockError::CommitUnknown(_)));
        assert!(!unknown().is_retryable() && !unknown().transaction_is_lost());
    }

    #[test]
    fn nested_ones_give_up_at_once_and_pauses_keep_within_the_deadline() {
        assert_eq!(retries(LockTransaction::new(), true).judge(&moved(), &mut never), Verdict::GiveUp);
        let transaction = LockTransaction::new().deadline(Duration::ZERO);
        assert_eq!(retries(transaction, false).judge(&moved(), &mut never), Verdict::GiveUp);
    }

    #[test]
    fn the_class_is_found_beneath_an_error_of_the_users_own() {
        #[derive(Debug, thiserror::Error)]
        #[error("the transfer failed")]
        struct Own(#[source] LockError);

        let mut tries = retries(LockTransaction::new(), false);
        assert!(matches!(tries.judge(&Own(moved()), &mut never), Verdict::Retry(_)));
        assert_eq!(tries.judge(&Own(LockError::NotInTransaction), &mut never), Verdict::Pass);
    }

    /// An error that hides the error inside: it shows its text and its source only.
    #[derive(Debug, thiserror::Error)]
    #[error(transparent)]
    struct Transparent<E: Error + 'static>(E);

    #[test]
    fn the_class_is_found_in_whatever_hides_its_error() {
        let contended = || LockError::Contended { rows: vec![], holders: vec![], source: None };
        let judged = |error: &(dyn Error + 'static)| {
            let transaction = LockTransaction::new();
            let mut plain = retries(transaction, false);
            let mut contended = retries(transaction.retry_contended(), false);
            [&mut plain, &mut contended].map(|tries| matches!(tries.judge(error, &mut never), Verdict::Retry(_)))
        };
        for (error, expected) in [
            (moved as fn() -> LockError, [true, true]),
            (contended, [false, true]),
            (|| LockError::TimedOut { attempt: None, source: None }, [false, false]),
            (|| LockError::NotInTransaction, [false, false]),
        ] {
            assert_eq!(judged(&error()), expected);
            assert_eq!(judged(&Transparent(Transparent(error()))), expected);
            assert_eq!(judged(&Transparent(std::io::Error::other(error()))), expected);
            assert_eq!(judged(&Transparent(std::sync::Arc::new(error()))), expected);
            assert_eq!(judged(&Transparent(DieselError::from(error()))), expected);
            let within = DieselError::QueryBuilderError(Box::new(Transparent(error())));
            assert_eq!(judged(&LockError::Query(within)), expected);
            assert_eq!(judged(&*anyhow::Error::from(Transparent(error())).context("in context")), expected);
        }
    }

    #[test]
    fn hidden_errors_of_diesel_are_told_by_their_text() {
        let mut tries = retries(LockTransaction::new(), false);
        let said = |words: &str| {
            Transparent(DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(words.to_owned())))
        };
        for words in ["deadlock detected", "Deadlock found when trying to get lock; try restarting transaction"] {
            assert!(matches!(tries.judge(&said(words), &mut never), Verdict::Retry(_)), "{words}");
        }
        assert_eq!(tries.judge(&said("job 7: deadlock detected"), &mut never), Verdict::Pass);
    }
}
