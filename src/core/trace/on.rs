//! The spans and events.

use std::{
    error::Error,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use tracing::{Level, Span, debug, field::Empty, info, info_span, warn};

use super::statement_time::StatementTime;
use crate::{
    backend::LockingBackend,
    core::{driver::Driver, registry},
    error::{LockError, RetryClass, RowName},
    lock_set::LockSet,
    transaction::StepBack,
};

static LONG_WAIT: AtomicU64 = AtomicU64::new(1_000_000);
static LONG_HOLD: AtomicU64 = AtomicU64::new(1_000_000);

/// Sets the time from which on a lock call is reported as a long wait, for all calls of the process. One second at first.
pub fn set_long_wait(time: Duration) {
    set(&LONG_WAIT, time);
}

/// Sets the time from which on locks are reported as held long, for all transactions of the process. One second at first.
pub fn set_long_hold(time: Duration) {
    set(&LONG_HOLD, time);
}

fn set(limit: &AtomicU64, time: Duration) {
    limit.store(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

fn is_over(time: Duration, limit: &AtomicU64) -> bool {
    time.as_micros() >= u128::from(limit.load(Ordering::Relaxed))
}

/// Returns whole milliseconds, the unit of all times in spans and events.
fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A lock call in progress.
pub(in crate::core) struct Call {
    span: Span,
    began: Instant,
    /// The tables or the kind of lock, for the event of a long wait.
    about: String,
}

impl Call {
    pub(in crate::core) fn lock_set<DB: LockingBackend, W>(set: &LockSet<'_, DB, W>) -> Self {
        let (mut tables, mut rows, mut queries, mut strength) = (Vec::new(), 0, 0, None);
        for part in set.outline() {
            tables.extend(part.table.ok().map(|table| table.quoted().to_owned()));
            rows += part.keys;
            queries += part.queries;
            strength = strength.max(Some(part.strength));
        }
        tables.sort();
        tables.dedup();
        let (about, wait) = (tables.join(", "), set.wait_policy());
        let span = info_span!(
            "lock_set",
            tables = about,
            rows,
            queries,
            advisory_locks = set.advisory_locks(),
            strength = strength.map(tracing::field::debug),
            wait = ?wait,
            statements = Empty,
            elapsed_ms = Empty,
            error = Empty,
        );
        Call::new(span, about)
    }

    /// A pick or a claim; without a table if the query is refused.
    pub(in crate::core) fn pick(table: Option<&str>, claims: bool) -> Self {
        let about = table.unwrap_or_default().to_owned();
        let span = info_span!("pick", tables = about, claims, statements = Empty, elapsed_ms = Empty, error = Empty);
        Call::new(span, about)
    }

    /// A locked query of the caller's.
    pub(in crate::core) fn query(tables: impl FnOnce() -> Vec<String>) -> Self {
        let about = tables().join(", ");
        let span = info_span!("lock_query", tables = about, statements = Empty, elapsed_ms = Empty, error = Empty);
        Call::new(span, about)
    }

    /// An advisory lock. Its name may have the value of a key.
    pub(in crate::core) fn advisory(name: &str, shared: bool, wait: impl std::fmt::Debug) -> Self {
        let span = info_span!(
            "advisory_lock",
            shared,
            wait = ?wait,
            statements = Empty,
            elapsed_ms = Empty,
            error = Empty,
        );
        debug!(parent: &span, name, "takes an advisory lock");
        Call::new(span, "an advisory lock".to_owned())
    }

    fn new(span: Span, about: String) -> Self {
        Call { span, began: Instant::now(), about }
    }

    pub(in crate::core) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Ends the call. An event reports a long wait, and a failure.
    pub(in crate::core) fn end(self, statements: u32, error: Option<&LockError>) {
        let Call { span, began, about } = self;
        let elapsed = began.elapsed();
        span.record("elapsed_ms", ms(elapsed));
        if statements > 0 {
            span.record("statements", statements);
        }
        if let Some(error) = error {
            span.record("error", variant(error));
            if matches!(error, LockError::Deadlock { .. }) {
                warn!(parent: &span, tables = about, sessions = ?error.deadlocked_sessions(), "a deadlock");
            }
            debug!(parent: &span, error = error as &(dyn Error + 'static), "a lock call failed");
        }
        if is_over(elapsed, &LONG_WAIT) {
            let error = error.map(variant);
            warn!(parent: &span, tables = about, elapsed_ms = ms(elapsed), error, "a lock call took long");
        }
    }
}

/// Returns the name of the error's variant. The rest of an error may have values of keys.
fn variant(error: &LockError) -> String {
    format!("{error:?}").chars().take_while(|c| c.is_alphanumeric()).collect()
}

/// Notes that a call has locked something in the open transaction.
pub(in crate::core) fn locked<D: Driver>(driver: &mut D) {
    registry::note_lock(driver);
}

/// Reports the rows of one table that a set is about to lock.
pub(in crate::core) fn rows(table: &str, rows: impl FnOnce() -> Vec<RowName>) {
    if tracing::enabled!(Level::DEBUG) {
        let rows: Vec<String> = rows().iter().take(20).map(RowName::to_string).collect();
        debug!(table, ?rows, "locks rows");
    }
}

/// A time from which on locks are held.
#[derive(Clone, Copy)]
pub(in crate::core) struct Held {
    since: Instant,
    /// The time that the connection had spent in statements by then, if that is measured.
    busy: Option<Duration>,
}

impl Held {
    pub(in crate::core) fn now<D: Driver>(driver: &mut D) -> Self {
        Held { since: Instant::now(), busy: StatementTime::of(driver) }
    }

    /// Reports locks that were held long, until the end of `what`.
    pub(in crate::core) fn end<D: Driver>(self, driver: &mut D, what: &'static str) {
        let held = self.since.elapsed();
        if is_over(held, &LONG_HOLD) {
            let busy = self.busy.and_then(|before| StatementTime::of(driver)?.checked_sub(before));
            let idle_ms = busy.map(|busy| ms(held.saturating_sub(busy)));
            warn!(held_ms = ms(held), idle_ms, until = what, "locks were held long");
        }
    }
}

pub(in crate::core) fn step_back(back: &StepBack) {
    warn!(
        after = back.after_table,
        back_to = back.back_to_table,
        "a lock set went back behind an earlier one of the same transaction; another transaction that does the opposite can \
         deadlock with it"
    );
    debug!(after = back.after, back_to = back.back_to, "the rows of that step back");
}

/// Reports that a transaction is run again.
pub(in crate::core) fn retry(error: &(dyn Error + 'static), attempt: u32, pause: Duration) {
    let class = RetryClass::of(error);
    info!(attempt, ?class, pause_ms = ms(pause), "a transaction is run again");
    debug!(attempt, error, "the error of that attempt");
}

/// Reports that a transaction is not run again although it could be.
pub(in crate::core) fn gave_up(error: &(dyn Error + 'static), attempts: u32, elapsed: Duration) {
    let class = RetryClass::of(error);
    warn!(attempts, ?class, elapsed_ms = ms(elapsed), "a transaction was given up");
    debug!(attempts, error, "the error of the last attempt");
}
