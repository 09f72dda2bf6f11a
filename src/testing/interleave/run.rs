//! One run: the sessions on their threads, let go one statement at a time.

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use super::{
    Ended, Interleave, InterleaveError,
    relay::Relay,
    schedule::{Fault, Move, Parked, Schedule, Step},
    search::Choose,
    session::{self, Event, Line},
};
use crate::{
    backend::LockingBackend as _,
    blocking::LockConnection,
    testing::{
        server::{self, TestBackend, end_session},
        statement::{Statement, Verb},
    },
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Starting,
    Parked,
    Running,
    /// The server has said that it waits.
    Waiting,
    Ended,
}

pub(super) struct Session {
    /// Its place in the list of the bench.
    pub(super) number: usize,
    /// The server's number.
    pub(super) server: i64,
    pub(super) state: State,
    pub(super) sql: String,
    pub(super) go: Option<Sender<()>>,
    pub(super) end: Option<Sender<()>>,
    pub(super) relay: Option<Relay>,
    /// Its last step, if it has any.
    pub(super) step: Option<usize>,
    pub(super) ended: Option<Ended>,
}

/// The result of a run.
pub(super) struct Ran {
    pub(super) steps: Vec<Step>,
    pub(super) id: String,
    /// By session of the bench; `None` if it did not take part.
    pub(super) ended: Vec<Option<Ended>>,
    /// The session that was killed, or lost an answer.
    pub(super) interrupted: Option<usize>,
    /// The statements that were at work when the server reported a deadlock, for each of them.
    pub(super) deadlocks: Vec<Vec<usize>>,
}

pub(super) struct Run<'r, C> {
    pub(super) names: Vec<String>,
    pub(super) observer: &'r mut C,
    pub(super) sessions: Vec<Session>,
    pub(super) events: Receiver<(usize, Event)>,
    pub(super) steps: Vec<Step>,
    pub(super) id: String,
    pub(super) interrupted: Option<usize>,
    /// The steps that are at work: the last one, and those that waited before it.
    pub(super) at_work: Vec<usize>,
    pub(super) deadlocks: Vec<Vec<usize>>,
    pub(super) time: Duration,
}

/// Runs the members of the bench once, as `choose` decides.
pub(super) fn run<C, O>(
    bench: &Interleave<'_, C, O>,
    observer: &mut C,
    members: &[usize],
    choose: &mut dyn Choose,
) -> Result<Ran, InterleaveError>
where
    C: LockConnection<Backend: TestBackend>,
{
    let (events, heard) = channel();
    thread::scope(|scope| {
        let mut sessions = Vec::new();
        for &number in members {
            let ((go, gone), (end, ended)) = (channel(), channel());
            let line = Line { session: sessions.len(), events: events.clone() };
            let relay = bench.options.faults.losses.then(|| Relay::in_front_of::<C::Backend>(&bench.url)).transpose();
            let relay = relay.map_err(|error| InterleaveError::Connect(error.to_string()))?;
            let url = relay.as_ref().map_or(&*bench.url, Relay::url).to_owned();
            scope.spawn(move || session::run(&url, &bench.prepare, &bench.sessions[number].action, line, gone, &ended));
            let (go, end) = (Some(go), Some(end));
            sessions.push(Session {
                number,
                server: 0,
                state: State::Starting,
                sql: String::new(),
                go,
                end,
                relay,
                step: None,
                ended: None,
            });
        }
        let time = bench.options.step_timeout;
        let names = bench.sessions.iter().map(|session| session.name.clone()).collect();
        let (steps, id, at_work, deadlocks) = (Vec::new(), String::new(), Vec::new(), Vec::new());
        let mut run =
            Run { names, observer, sessions, events: heard, steps, id, interrupted: None, at_work, deadlocks, time };
        if let Err(error) = run.drive(choose) {
            run.abandon();
            return Err(error);
        }
        let mut ended = vec![None; bench.sessions.len()];
        for session in &mut run.sessions {
            ended[session.number] = session.ended.take();
        }
        let Run { steps, id, interrupted, deadlocks, .. } = run;
        Ok(Ran { steps, id, ended, interrupted, deadlocks })
    })
}

impl<C: LockConnection<Backend: TestBackend>> Run<'_, C> {
    fn drive(&mut self, choose: &mut dyn Choose) -> Result<(), InterleaveError> {
        loop {
            self.settle()?;
            let parked: Vec<(Parked<'_>, usize)> = (self.sessions.iter().enumerate())
                .filter(|(_, session)| session.state == State::Parked)
                .map(|(at, session)| {
                    let local = Statement::read(&session.sql, C::Backend::DIALECT).is_local();
                    let all = Statement::read_all(&session.sql, C::Backend::DIALECT);
                    let commits = all.iter().any(|statement| statement.verb == Verb::Commit);
                    (Parked { session: session.number, local, commits, sql: &session.sql }, at)
                })
                .collect();
            if parked.is_empty() {
                debug_assert!(self.sessions.iter().all(|session| session.state == State::Ended));
                return Ok(());
            }
            let (options, places): (Vec<_>, Vec<_>) = parked.into_iter().unzip();
            let last = self.steps.last().map(|step| step.session);
            let chosen = choose.choose(&options, last, self.interrupted.is_none())?;
            let place = options.iter().position(|option| option.session == chosen.session);
            let place =
                places[place.ok_or_else(|| InterleaveError::Replay(format!("nobody is at {}", chosen.letter())))?];
            let local = options.iter().any(|option| option.session == chosen.session && option.local);
            if !local {
                self.id.push(chosen.letter());
            }
            self.step(place, chosen)?;
        }
    }

    fn step(&mut self, place: usize, chosen: Move) -> Result<(), InterleaveError> {
        let waiting = self.sessions.iter().filter(|session| session.state == State::Waiting);
        self.at_work = waiting.filter_map(|session| session.step).chain([self.steps.len()]).collect();
        let session = &mut self.sessions[place];
        session.step = Some(self.steps.len());
        let (sql, fault) = (session.sql.clone(), chosen.fault);
        self.steps.push(Step { session: session.number, sql, fault, blocked: None, error: None, woke: Vec::new() });
        if fault.is_some() {
            self.interrupted = Some(session.number);
        }
        if fault == Some(Fault::Killed) {
            if !end_session(self.observer, session.server, self.time)? {
                return Err(self.stuck("a killed session does not end"));
            }
        } else if let Some(go) = &session.go {
            if let (Some(Fault::AnswerLost), Some(relay)) = (fault, &session.relay) {
                relay.lose_answer();
            }
            let _ = go.send(());
        }
        if fault.is_some() {
            // Without a scheduler it does not stop any more.
            session.go = None;
        }
        session.state = State::Running;
        Ok(())
    }

    pub(super) fn stuck(&mut self, problem: &str) -> InterleaveError {
        let activity = server::activity(self.observer);
        let schedule = Schedule { names: self.names.clone(), steps: self.steps.clone(), id: self.id.clone() };
        InterleaveError::Stuck { problem: format!("{problem}\n{activity}"), schedule }
    }

    /// Ends the sessions: a closure whose statements fail returns.
    fn abandon(&mut self) {
        for session in &mut self.sessions {
            if session.server != 0 && session.state != State::Ended {
                let _ = end_session(self.observer, session.server, self.time);
            }
            session.go = None;
            session.end = None;
        }
    }
}
