//! The time limit of one call.

use std::time::{Duration, Instant};

use diesel::result::{Error as DieselError, QueryResult};

use super::{
    driver::Driver, implicit_rollback::check_rollback, mark_broken::mark_broken, send::send, session_state::marked,
};
use crate::{
    backend::{Clock, LockingBackend, TablePlan},
    error::{LockError, Refusal, Result},
    mode::WaitPolicy,
};

/// Measures the time from the beginning of a call, and limits its statements.
pub(super) struct Timer<DB: LockingBackend> {
    began: Instant,
    timeout: Option<Duration>,
    at_once: bool,
    tried: bool,
    clock: DB::Clock,
}

impl<DB: LockingBackend> Timer<DB> {
    pub(super) fn start(wait_policy: WaitPolicy) -> Self {
        let timeout = match wait_policy {
            WaitPolicy::Timeout(timeout) => Some(timeout),
            WaitPolicy::Block | WaitPolicy::NoWait | WaitPolicy::SkipLocked => None,
        };
        let at_once = wait_policy == WaitPolicy::NoWait;
        Timer { began: Instant::now(), timeout, at_once, tried: false, clock: DB::Clock::default() }
    }

    /// Returns whether there is a limit.
    pub(super) fn is_limited(&self) -> bool {
        self.timeout.is_some()
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Limits the next statement to the time that is left.
    pub(super) async fn limit<D: Driver<DB = DB>>(&mut self, driver: &mut D) -> Result<()> {
        let Some(timeout) = self.timeout else { return Ok(()) };
        let left = timeout.saturating_sub(self.elapsed());
        // The shortest time limit allows one try.
        let first = !std::mem::replace(&mut self.tried, true);
        let Some(step) = self.clock.limit(left) else { return Ok(()) };
        if left.is_zero() && !first {
            return Err(LockError::TimedOut { attempt: None, source: None });
        }
        let sent = marked!(driver, send(driver, step));
        check_rollback(driver, sent).await.map_err(|error| self.class(error))
    }

    /// Sends the next step of a plan, which is to end within the time. Returns `None` if the plan has none.
    ///
    /// PostgreSQL counts the time of each message by itself: it would give as much to the preparing of a statement, which waits for the
    /// tables that it names, as to the running. So a limited statement is sent in one message. It is sent under the mark, since the
    /// limit is a setting of the session until it is [put back](Self::restore).
    pub(super) async fn send_next<D: Driver<DB = DB>>(
        &mut self,
        driver: &mut D,
        plan: &mut impl TablePlan<DB>,
    ) -> Option<QueryResult<()>> {
        let step = plan.next_step()?;
        let sent = if D::DB::SINGLE_WRITER.is_some() {
            // A plan changes a setting of the session by itself.
            marked!(driver, send(driver, step))
        } else if self.is_limited() {
            marked!(driver, send(driver, step.uncached()))
        } else {
            send(driver, step).await
        };
        Some(check_rollback(driver, sent).await)
    }

    /// Returns the time that is left, if there is a limit.
    pub(super) fn left(&self) -> Option<Duration> {
        Some(self.timeout?.saturating_sub(self.elapsed()))
    }

    /// Restores the server's setting. If that fails, and a rollback does not restore it, the connection is marked as broken: a pool must not
    /// hand out a session with a time limit.
    ///
    /// The server may cancel this statement too, since the limit still applies to it.
    pub(super) async fn restore<D: Driver<DB = DB>>(&mut self, driver: &mut D) -> Result<()> {
        let Some(step) = self.clock.restore() else { return Ok(()) };
        let sent = marked!(driver, send(driver, step));
        let sent = check_rollback(driver, sent).await;
        if sent.is_err() && (DB::Clock::OUTLIVES_A_ROLLBACK || !matches!(driver.depth(), Ok(Some(_)))) {
            mark_broken(driver).await;
        }
        sent.map_err(|error| self.class(error))
    }

    /// Classifies an error of a statement. When the time is up, a cancelled statement is a timeout, whatever its message. MariaDB reports a row
    /// that is not free at once as a timeout too; with `no_wait` it is contention.
    pub(super) fn class(&self, error: DieselError) -> LockError {
        let late = self.timeout.is_some_and(|timeout| self.elapsed() >= timeout);
        match LockError::of_locking_statement(error) {
            LockError::Canceled { source, .. } | LockError::Query(source @ DieselError::DatabaseError(..)) if late => {
                LockError::TimedOut { attempt: None, source: Some(Refusal::timed_out(source)) }
            }
            LockError::TimedOut { source: Some(source), .. }
                if self.at_once && LockError::is_of_the_statement(&source) =>
            {
                let source = Some(Refusal::contended(source.into_inner()));
                LockError::Contended { rows: Vec::new(), holders: Vec::new(), source }
            }
            error => error,
        }
    }
}
