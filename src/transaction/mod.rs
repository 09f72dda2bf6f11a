//! Transactions that are run again when it is safe: which errors are retried, how often, and after which pause.

mod closure_error;
mod order;
mod retry;

use std::{error::Error, fmt, time::Duration};

use crate::mode::Isolation;

pub use self::closure_error::{ClosureError, Concrete};
pub(crate) use self::{
    order::{OrderWatch, StepBack},
    retry::{Retries, Verdict},
};

/// A transaction around a closure, which is run again if it loses against another transaction.
///
/// [`run`](crate::RunLockTransaction::run) opens the transaction, runs the closure, commits. If that fails with
/// [`Deadlock`](crate::LockError::Deadlock), [`Serialization`](crate::LockError::Serialization) or
/// [`LimitedRowsChanged`](crate::LockError::LimitedRowsChanged), everything is rolled back and run again after a pause that grows and is
/// jittered, so that two losers do not collide again.
///
/// On SQLite it begins as the only writer, `BEGIN IMMEDIATE`, and waits for another one up to the connection's `busy_timeout`; if that is 0, up
/// to the [`deadline`](Self::deadline). It waits with its `COMMIT` in the same way.
///
/// The closure must not do anything that a rollback does not undo, unless doing it twice is harmless. It must not end the
/// transaction itself: after a `COMMIT` of its own, or a statement that commits implicitly, `run` returns
/// [`Aborted`](crate::LockError::Aborted). On PostgreSQL it is not noticed if the closure ends the transaction and begins another one in its place: `run`
/// commits that one.
///
/// A `COMMIT` whose answer is lost is not run again, whatever [`retry_when`](Self::retry_when) returns: the work may be committed. The
/// error is [`CommitUnknown`](crate::LockError::CommitUnknown).
///
/// Only the outermost transaction can be run again. Inside an open one the closure is run once, in a savepoint, and an error
/// that could be retried is returned as [`RetriesExhausted`](crate::LockError::RetriesExhausted), which reports that it was nested. An
/// outer `LockTransaction` finds its class and retries.
///
/// # The closure's error
///
/// Any error type that comes `From<LockError>` and `From<diesel::result::Error>`: one of the application's, `anyhow::Error`, `Box<dyn
/// Error + Send + Sync>`. The page [errors](crate::_documentation::errors) has examples. The class is found in it or in any error beneath it ([`source`](std::error::Error::source)), and that of
/// a [`LockError`](crate::LockError) also inside of a variant that is `#[error(transparent)]`.
///
/// A statement of your own that fails with a deadlock or a serialization failure returns a [`diesel::result::Error`]. Beneath other errors
/// it is found like a `LockError`. Hidden by a transparent variant, it shows no more than its text. The text is accepted if it is, as a
/// whole, one of the servers' messages for these failures, in English or in one of the languages of PostgreSQL 15, MySQL and MariaDB.
///
/// # Order
///
/// A transaction of one [`LockSet`](crate::LockSet) does not deadlock with another such. One of several sets does not as long as no set
/// goes back behind an earlier one. The crate watches this: a set that goes back to an earlier table, or to an earlier key of the same
/// table, is reported as a warning of `tracing` (with the feature of that name), or refused with
/// [`deny_out_of_order`](Self::deny_out_of_order). Only keys that every server compares alike are compared: integers.
///
/// # Example: retry, and print each failure
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() {
/// # let conn = &mut establish();
/// let moved = LockTransaction::new()
///     .retries(5)
///     .before_retry(|error, tries| eprintln!("try {tries}: {error}"))
///     .run(conn, |conn| {
///         let locked = LockSet::new().ids::<Account>([1, 2]).lock(conn)?;
///         let (from, to) = (locked.id::<Account>(1)?, locked.id::<Account>(2)?);
///         for (account, change) in [(from, -30), (to, 30)] {
///             diesel::update(accounts::table.find(account.id))
///                 .set(accounts::balance.eq(account.balance + change))
///                 .execute(conn)?;
///         }
///         Ok::<_, LockError>(30)
///     });
/// assert_eq!(moved.unwrap(), 30);
/// # }
/// ```
///
/// # Example: how often, how long, and for which errors
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() {
/// # let conn = &mut establish();
/// use std::time::Duration;
///
/// use diesel_lockset::Isolation;
///
/// let patient = LockTransaction::new()
///     .retries(20)
///     .backoff(Duration::from_millis(2), Duration::from_millis(200))
///     .deadline(Duration::from_secs(10))
///     .retry_timed_out()
///     .isolation(Isolation::ReadCommitted);
/// let account = patient.run(conn, |conn| {
///     let set = LockSet::new().id::<Account>(1);
///     let set = set.timeout(Duration::from_millis(500));
///     set.lock(conn)?.take_id::<Account>(1)
/// });
/// # assert_eq!(account.unwrap().owner, "Ada");
/// # }
/// ```
#[must_use = "a transaction does nothing until it is run"]
#[derive(Clone, Copy)]
pub struct LockTransaction<Hook = fn(&(dyn Error + 'static), u32), When = fn(&(dyn Error + 'static)) -> bool> {
    pub(crate) options: Options,
    pub(crate) before_retry: Hook,
    pub(crate) retry_when: When,
}

/// The options of a [`LockTransaction`], without its functions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) retries: u32,
    pub(crate) backoff: (Duration, Duration),
    pub(crate) deadline: Option<Duration>,
    pub(crate) retry_contended: bool,
    pub(crate) retry_timed_out: bool,
    pub(crate) isolation: Option<Isolation>,
    pub(crate) deny_out_of_order: bool,
}

impl LockTransaction {
    /// Returns a transaction with five retries, the first after 5 to 10 ms, at the server's isolation level.
    pub const fn new() -> Self {
        let options = Options {
            retries: 5,
            backoff: (Duration::from_millis(5), Duration::from_secs(1)),
            deadline: None,
            retry_contended: false,
            retry_timed_out: false,
            isolation: None,
            deny_out_of_order: false,
        };
        LockTransaction { options, before_retry: |_, _| {}, retry_when: |_| false }
    }
}

impl<Hook, When> LockTransaction<Hook, When> {
    /// Sets the number of times that the closure may be run again after the first try.
    pub fn retries(mut self, retries: u32) -> Self {
        self.options.retries = retries;
        self
    }

    /// Sets the pause before the first retry and the longest one. Each is double the one before, with up to as much jitter added.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.options.backoff = (first, longest.max(first));
        self
    }

    /// Sets the time after the beginning of the first try from which on no retry begins. A try that is running is not cut short.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = Some(deadline);
        self
    }

    /// Also retries [`Contended`](crate::LockError::Contended).
    pub fn retry_contended(mut self) -> Self {
        self.options.retry_contended = true;
        self
    }

    /// Also retries [`TimedOut`](crate::LockError::TimedOut).
    pub fn retry_timed_out(mut self) -> Self {
        self.options.retry_timed_out = true;
        self
    }

    /// Also retries errors for which the function returns `true`.
    ///
    /// Use it for errors that have no class, and for an error type that hides the class: one with neither a source nor the text of the
    /// error inside. It is not called for a [`CommitUnknown`](crate::LockError::CommitUnknown).
    pub fn retry_when<F>(self, retry_when: F) -> LockTransaction<Hook, F>
    where
        F: FnMut(&(dyn Error + 'static)) -> bool,
    {
        LockTransaction { options: self.options, before_retry: self.before_retry, retry_when }
    }

    /// Sets the isolation level of the transaction; without this call it is the server's.
    ///
    /// It cannot be chosen inside an open transaction: there `run` fails with [`Unsupported`](crate::LockError::Unsupported), before the
    /// closure is called.
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.options.isolation = Some(isolation);
        self
    }

    /// Makes a lock set that goes back behind an earlier one of this transaction an error,
    /// [`OutOfOrder`](crate::LockError::OutOfOrder), instead of a warning. Meant for tests, above all.
    pub fn deny_out_of_order(mut self) -> Self {
        self.options.deny_out_of_order = true;
        self
    }

    /// Sets a function that is called before each retry, with the error and the number of tries so far; after the rollback, before the
    /// pause.
    pub fn before_retry<F>(self, before_retry: F) -> LockTransaction<F, When>
    where
        F: FnMut(&(dyn Error + 'static), u32),
    {
        LockTransaction { options: self.options, before_retry, retry_when: self.retry_when }
    }
}

impl Default for LockTransaction {
    fn default() -> Self {
        Self::new()
    }
}

impl<Hook, When> fmt::Debug for LockTransaction<Hook, When> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockTransaction").field("options", &self.options).finish_non_exhaustive()
    }
}
