//! One session of a play: a connection on a thread of its own.

use std::{
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

use super::{
    pending::{Pending, Settled},
    stage::{Member, Stage},
};
use crate::support::{driver::Session, patience::until};

type Step<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A session that does one step at a time.
pub(crate) struct Actor<S> {
    member: Member,
    stage: Arc<Stage>,
    steps: Option<Sender<Step<S>>>,
    thread: Option<JoinHandle<()>>,
}

impl<S: Session> Actor<S> {
    pub(super) fn enter(stage: &Arc<Stage>, name: &str, url: &str) -> Self {
        let (steps, orders) = channel();
        let (report, connected) = channel();
        let url = url.to_owned();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || perform::<S>(&url, &report, &orders))
            .expect("a thread");
        let pid: thread::Result<i32> = connected.recv().expect("the thread reports");
        let pid = pid.unwrap_or_else(|panic| resume_unwind(panic));
        let member = Member::new(name, pid);
        stage.enter(member.clone());
        Self { member, stage: Arc::clone(stage), steps: Some(steps), thread: Some(thread) }
    }

    /// The server process of this session.
    pub(crate) fn pid(&self) -> i32 {
        self.member.pid
    }

    pub(crate) fn name(&self) -> &str {
        &self.member.name
    }

    /// Begins a step and returns at once.
    ///
    /// # Panics
    ///
    /// If the step before has not ended.
    #[track_caller]
    pub(crate) fn start<T: Debug + Send + 'static>(
        &self,
        label: &str,
        step: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Pending<T> {
        let line = format!("{}: {label}", self.name());
        if self.member.is_busy() {
            self.stage.fail(&format!("{line}: cannot begin, the step before has not ended"));
        }
        self.member.set_busy(true);
        self.stage.transcript.note(format!("{line} .."));
        let (report, result) = channel();
        let (stage, member, said) = (Arc::clone(&self.stage), self.member.clone(), line.clone());
        let step: Step<S> = Box::new(move |session| {
            let result = catch_unwind(AssertUnwindSafe(|| step(session)));
            stage.transcript.note(match &result {
                Ok(value) => format!("{said} = {value:?}"),
                Err(_) => format!("{said} panicked"),
            });
            member.set_busy(false);
            // Nobody listens when the test did not keep the step.
            let _ = report.send(result);
        });
        let steps = self.steps.as_ref().expect("an actor that is not dropped");
        steps.send(step).unwrap_or_else(|_| self.stage.fail(&format!("{line}: the session has ended")));
        Pending::new(Arc::clone(&self.stage), line, self.member.pid, result)
    }

    /// Does a step to its end.
    ///
    /// # Panics
    ///
    /// With the transcript, if the step waits for a session that only the test can move, or does not end in time; with
    /// the step's own message, if it panics. A step that is meant to wait for a while is `start`ed and joined.
    #[track_caller]
    pub(crate) fn run<T: Debug + Send + 'static>(
        &self,
        label: &str,
        step: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> T {
        let pending = self.start(label, step);
        if let Settled::Waits(pids) = pending.settle(|pids| self.stage.waits_for_the_test(pids)) {
            let by = self.stage.names(&pids);
            self.stage.fail(&format!("{}: {label}: should have gone through, but waits for {by}", self.name()));
        }
        pending.join()
    }

    /// Ends the session on the server, as a crash would. What it does next is a connection error.
    pub(crate) fn kill(&self) {
        self.stage.terminate(self.member.pid);
        self.stage.transcript.note(format!("{} is killed", self.name()));
    }
}

/// What the thread of a session does: connects, says so, then step after step until the actor is dropped.
fn perform<S: Session>(url: &str, report: &Sender<thread::Result<i32>>, orders: &Receiver<Step<S>>) {
    let connected = catch_unwind(|| {
        let mut session = S::connect(url);
        let pid = session.pid();
        (session, pid)
    });
    match connected {
        Ok((mut session, pid)) => {
            let _ = report.send(Ok(pid));
            for step in orders {
                step(&mut session);
            }
        }
        Err(panic) => {
            let _ = report.send(Err(panic));
        }
    }
}

impl<S> Drop for Actor<S> {
    fn drop(&mut self) {
        drop(self.steps.take());
        let Some(thread) = self.thread.take() else { return };
        if self.member.is_busy() {
            // It may wait for a lock that nobody will release any more.
            let ended = catch_unwind(AssertUnwindSafe(|| self.stage.terminate(self.member.pid)));
            if ended.is_err() || until(|| thread.is_finished().then_some(())).is_none() {
                eprintln!("{}: its thread does not end\n{}", self.member.name, self.stage.transcript);
                return;
            }
        }
        // Every step is run under `catch_unwind`.
        let _ = thread.join();
        if !thread::panicking() {
            self.stage.leave(self.member.pid);
        }
    }
}
