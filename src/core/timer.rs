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
        match self.next_left()? {
            Some(left) => self.limit_to(driver, left).await,
            None => Ok(()),
        }
    }

    async fn limit_to<D: Driver<DB = DB>>(&mut self, driver: &mut D, left: Duration) -> Result<()> {
        let Some(step) = self.clock.limit(left) else { return Ok(()) };
        let sent = marked!(driver, send(driver, step));
        check_rollback(driver, sent).await.map_err(|error| self.class(error))
    }

    /// Returns the time that the next statement has, if there is a limit. Fails if none is left.
    fn next_left(&mut self) -> Result<Option<Duration>> {
        let left = self.left();
        // The shortest time limit allows one try.
        let first = !std::mem::replace(&mut self.tried, true);
        match left {
            // A single writer limits its statements itself, and says more about a limit that is up.
            Some(left) if left.is_zero() && !first && DB::SINGLE_WRITER.is_none() => {
                Err(LockError::TimedOut { attempt: None, source: None })
            }
            left => Ok(left),
        }
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
    ) -> Result<Option<QueryResult<()>>> {
        let sent = match self.next_left()? {
            // A plan changes a setting of the session by itself.
            _ if D::DB::SINGLE_WRITER.is_some() => {
                let Some(step) = plan.next_step() else { return Ok(None) };
                marked!(driver, send(driver, step))
            }
            None => {
                let Some(step) = plan.next_step() else { return Ok(None) };
                send(driver, step).await
            }
            Some(left) => match self.send_limited(driver, plan, left).await? {
                Some(sent) => sent,
                None => return Ok(None),
            },
        };
        Ok(Some(check_rollback(driver, sent).await))
    }

    /// Sends the next step with the limit inside of its statement or, where it cannot be, after the statement that sets it.
    async fn send_limited<D: Driver<DB = DB>>(
        &mut self,
        driver: &mut D,
        plan: &mut impl TablePlan<DB>,
        left: Duration,
    ) -> Result<Option<QueryResult<()>>> {
        if self.clock.limits_inside() {
            let Some(step) = plan.next_step() else { return Ok(None) };
            let step = self.clock.limit_inside(step, left);
            let sent = marked!(driver, send(driver, step.uncached()));
            match sent {
                Err(error) if self.clock.is_refused(&error) => {}
                sent => return Ok(Some(sent)),
            }
        }
        self.limit_to(driver, left).await?;
        let Some(step) = plan.next_step() else { return Ok(None) };
        let (step, restores) = self.clock.restore_inside(step);
        let sent = marked!(driver, send(driver, step.uncached()));
        if restores && sent.is_ok() {
            self.clock.restored();
        }
        Ok(Some(sent))
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
