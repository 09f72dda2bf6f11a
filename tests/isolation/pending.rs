//! A step that was begun: whether it waits, for whom, and what comes of it.

use std::{
    cell::RefCell,
    panic::resume_unwind,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use super::{actor::Actor, stage::Stage};
use crate::support::{
    driver::Session,
    patience::{DEADLINE, POLL, until},
};

/// A step of a session, begun and perhaps not ended.
#[must_use = "a step is joined, or checked to be waiting"]
pub(crate) struct Pending<T> {
    stage: Arc<Stage>,
    line: String,
    pid: i32,
    result: Receiver<thread::Result<T>>,
    arrived: RefCell<Option<thread::Result<T>>>,
}

/// What has become of a step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Ended,
    /// The server says that it waits for these processes.
    Waits(Vec<i32>),
}

impl<T> Pending<T> {
    pub(super) fn new(stage: Arc<Stage>, line: String, pid: i32, result: Receiver<thread::Result<T>>) -> Self {
        Self { stage, line, pid, result, arrived: RefCell::new(None) }
    }

    /// Whether the step has ended, well or not.
    pub(crate) fn has_ended(&self) -> bool {
        self.ends_within(Duration::ZERO)
    }

    /// Returns when the server says that the step waits for `other`.
    ///
    /// # Panics
    ///
    /// With the transcript, if the step ends instead.
    #[track_caller]
    pub(crate) fn blocked_by<S: Session>(&self, other: &Actor<S>) {
        match self.settle(|pids| pids.contains(&other.pid())) {
            Settled::Waits(_) => self.stage.transcript.note(format!("{} waits for {}", self.line, other.name())),
            Settled::Ended => {
                self.stage.fail(&format!("{}: should wait for {}, but has ended", self.line, other.name()))
            }
        }
    }

    /// Whether the step waits for a lock, as opposed to having ended: one of the two becomes true.
    #[track_caller]
    pub(crate) fn still_blocked(&self) -> bool {
        self.settle(|_| true) != Settled::Ended
    }

    /// What the step returned.
    ///
    /// # Panics
    ///
    /// As the step did, if it did; with the transcript, if it does not end in time.
    #[track_caller]
    pub(crate) fn join(self) -> T {
        if !self.ends_within(DEADLINE) {
            self.stage.fail(&format!("{}: has not ended after {DEADLINE:?}", self.line));
        }
        match self.arrived.take().expect("a result that has arrived") {
            Ok(value) => value,
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Asks until the step has ended, or waits for processes that are `wanted`.
    #[track_caller]
    pub(super) fn settle(&self, wanted: impl Fn(&[i32]) -> bool) -> Settled {
        let settled = until(|| {
            if self.ends_within(POLL) {
                return Some(Settled::Ended);
            }
            let blockers = self.stage.blockers(self.pid);
            (!blockers.is_empty() && wanted(&blockers)).then_some(Settled::Waits(blockers))
        });
        settled.unwrap_or_else(|| self.stage.fail(&format!("{}: neither ends nor waits as it should", self.line)))
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    /// Takes the result in when it is there.
    fn ends_within(&self, time: Duration) -> bool {
        let mut arrived = self.arrived.borrow_mut();
        if arrived.is_none() {
            *arrived = match self.result.recv_timeout(time) {
                Ok(result) => Some(result),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => {
                    drop(arrived);
                    self.stage.fail(&format!("{}: the session ended before the step did", self.line))
                }
            };
        }
        arrived.is_some()
    }
}

impl<T> Drop for Pending<T> {
    /// An assertion that failed in a step is not lost because nobody joined it.
    fn drop(&mut self) {
        let result = self.arrived.take().or_else(|| self.result.try_recv().ok());
        match result {
            Some(Err(panic)) if !thread::panicking() => resume_unwind(panic),
            _ => {}
        }
    }
}
