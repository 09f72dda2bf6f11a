//! One run: the sessions on their threads, let go one statement at a time.

use std::{
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use super::{
    Ended, Interleave, InterleaveError,
    schedule::{Move, Schedule, Step},
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

/// The time that a statement has before the server is asked whether it waits. No outcome depends on it.
const BEFORE_ASKING: Duration = Duration::from_millis(2);

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Starting,
    Parked,
    Running,
    /// The server has said that it waits.
    Waiting,
    Ended,
}

struct Session {
    /// Its place in the list of the bench.
    number: usize,
    /// The server's number.
    server: i64,
    state: State,
    sql: String,
    go: Option<Sender<()>>,
    end: Option<Sender<()>>,
    /// Its last step, if it has any.
    step: Option<usize>,
    ended: Option<Ended>,
}

/// What has become of a run.
pub(super) struct Ran {
    pub(super) steps: Vec<Step>,
    pub(super) id: String,
    /// By session of the bench; `None` if it did not take part.
    pub(super) ended: Vec<Option<Ended>>,
    pub(super) killed: Option<usize>,
}

/// A session in front of a statement.
pub(super) struct Parked<'r> {
    pub(super) session: usize,
    pub(super) local: bool,
    pub(super) sql: &'r str,
}

struct Run<'r, C> {
    names: Vec<String>,
    observer: &'r mut C,
    sessions: Vec<Session>,
    events: Receiver<(usize, Event)>,
    steps: Vec<Step>,
    id: String,
    killed: Option<usize>,
    time: Duration,
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
            scope.spawn(move || {
                session::run(&bench.url, &bench.prepare, &bench.sessions[number].action, line, gone, &ended)
            });
            let (go, end) = (Some(go), Some(end));
            sessions.push(Session {
                number,
                server: 0,
                state: State::Starting,
                sql: String::new(),
                go,
                end,
                step: None,
                ended: None,
            });
        }
        let time = bench.options.step_timeout;
        let names = bench.sessions.iter().map(|session| session.name.clone()).collect();
        let (steps, id) = (Vec::new(), String::new());
        let mut run = Run { names, observer, sessions, events: heard, steps, id, killed: None, time };
        if let Err(error) = run.drive(choose) {
            run.abandon();
            return Err(error);
        }
        let mut ended = vec![None; bench.sessions.len()];
        for session in &mut run.sessions {
            ended[session.number] = session.ended.take();
        }
        Ok(Ran { steps: run.steps, id: run.id, ended, killed: run.killed })
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
                    (Parked { session: session.number, local, sql: &session.sql }, at)
                })
                .collect();
            if parked.is_empty() {
                debug_assert!(self.sessions.iter().all(|session| session.state == State::Ended));
                return Ok(());
            }
            let (options, places): (Vec<_>, Vec<_>) = parked.into_iter().unzip();
            let last = self.steps.last().map(|step| step.session);
            let chosen = choose.choose(&options, last, self.killed.is_none())?;
            let place = options.iter().position(|option| option.session == chosen.session());
            let place =
                places[place.ok_or_else(|| InterleaveError::Replay(format!("nobody is at {}", chosen.letter())))?];
            let local = options.iter().any(|option| option.session == chosen.session() && option.local);
            if !local {
                self.id.push(chosen.letter());
            }
            self.step(place, chosen)?;
        }
    }

    fn step(&mut self, place: usize, chosen: Move) -> Result<(), InterleaveError> {
        let session = &mut self.sessions[place];
        session.step = Some(self.steps.len());
        let killed = matches!(chosen, Move::Kill(_));
        let sql = session.sql.clone();
        self.steps.push(Step { session: session.number, sql, killed, blocked: None, error: None, woke: Vec::new() });
        if killed {
            self.killed = Some(session.number);
            if !end_session(self.observer, session.server, self.time)? {
                return Err(self.stuck("a killed session does not end"));
            }
            // Without a scheduler it does not stop any more.
            session.go = None;
        } else if let Some(go) = &session.go {
            let _ = go.send(());
        }
        session.state = State::Running;
        Ok(())
    }

    /// Returns when each session stands in front of a statement, has ended, or waits for another one, as the server says.
    fn settle(&mut self) -> Result<(), InterleaveError> {
        let begun = Instant::now();
        loop {
            let running = self.sessions.iter().any(|session| matches!(session.state, State::Starting | State::Running));
            // A session that waited may have been let go by the last step: the server is asked again.
            let pause = if running { BEFORE_ASKING } else { Duration::ZERO };
            match self.events.recv_timeout(pause) {
                Ok((place, event)) => {
                    self.heard(place, event)?;
                    continue;
                }
                Err(_) if self.sessions.iter().all(|session| matches!(session.state, State::Parked | State::Ended)) => {
                    return Ok(());
                }
                // What waited before still waits.
                Err(_) if !running && self.last_step_frees_nothing() => return Ok(()),
                Err(_) if self.all_wait()? => return Ok(()),
                Err(_) if begun.elapsed() > self.time => {
                    return Err(self.stuck("a statement neither ends nor waits for a session that could go on"));
                }
                Err(_) => {}
            }
        }
    }

    /// Returns whether the last statement has ended, and was one that keeps what its session holds.
    fn last_step_frees_nothing(&self) -> bool {
        let at = |step: usize| self.sessions.iter().find(|session| session.step == Some(step));
        let ended = self.steps.len().checked_sub(1).and_then(at).is_some_and(|session| session.state == State::Parked);
        ended
            && self.steps.last().is_some_and(|step| {
                let statement = Statement::read(&step.sql, C::Backend::DIALECT);
                let reads = statement.verb == Verb::Select && !statement.read_tables().is_empty();
                let keeps = reads || matches!(statement.verb, Verb::Insert | Verb::Update | Verb::Delete);
                keeps && step.error.is_none() && !step.killed
            })
    }

    /// Asks the server. Returns whether all sessions that are not parked wait, for others that do not wait for them.
    fn all_wait(&mut self) -> Result<bool, InterleaveError> {
        let at_work = |session: &Session| matches!(session.state, State::Running | State::Waiting);
        if self.sessions.iter().any(|session| session.state == State::Starting) {
            return Ok(false);
        }
        let asked: Vec<i64> =
            self.sessions.iter().filter(|session| at_work(session)).map(|session| session.server).collect();
        let waits = C::Backend::waits(self.observer, &asked)?;
        let waits_for = |session: &Session| waits.iter().find(|wait| wait.session == session.server);
        let place = |server: &i64| self.sessions.iter().position(|session| session.server == *server);
        let graph: Vec<Vec<usize>> = (self.sessions.iter())
            .map(|session| waits_for(session).map_or(vec![], |wait| wait.blockers.iter().filter_map(place).collect()))
            .collect();
        let all = self.sessions.iter().filter(|session| at_work(session)).all(|session| waits_for(session).is_some());
        // Nobody could go on if there is no parked session; a circle is for the server to resolve.
        let someone = self.sessions.iter().any(|session| session.state == State::Parked);
        let stable = all && someone && !has_circle(&graph);
        for place in 0..self.sessions.len() {
            let session = &self.sessions[place];
            if !at_work(session) {
                continue;
            }
            if waits_for(session).is_none() {
                self.sessions[place].state = State::Running;
                continue;
            }
            // Of two sessions, the other one.
            let other = (0..self.sessions.len()).filter(|other| *other != place && self.sessions.len() == 2);
            let known = graph[place].iter().copied();
            let by = if graph[place].is_empty() { other.collect() } else { known.collect::<Vec<_>>() };
            let by = by.into_iter().map(|blocker| self.sessions[blocker].number).collect();
            let step = session.step;
            self.sessions[place].state = State::Waiting;
            if let Some(step) = step {
                self.steps[step].blocked.get_or_insert(by);
            }
        }
        Ok(stable)
    }

    fn heard(&mut self, place: usize, event: Event) -> Result<(), InterleaveError> {
        let last = self.steps.len().checked_sub(1);
        let session = &mut self.sessions[place];
        let woken = session.step.is_some_and(|step| self.steps[step].blocked.is_some());
        match event {
            Event::Connected(number) => {
                session.server = number;
                return Ok(());
            }
            Event::NotConnected(error) => return Err(InterleaveError::Connect(error)),
            Event::Failed(error, conflict) => {
                if let Some(step) = session.step {
                    self.steps[step].error.get_or_insert((error, conflict));
                }
                return Ok(());
            }
            Event::Parked(sql) => {
                session.sql = sql;
                session.state = State::Parked;
            }
            Event::Ended(ended) => {
                session.ended = Some(ended);
                session.state = State::Ended;
                if session.go.is_none() {
                    session.end = None;
                }
            }
        }
        let number = session.number;
        if let Some(last) = last.filter(|last| woken && self.steps[*last].session != number) {
            self.steps[last].woke.push(number);
        }
        Ok(())
    }

    fn stuck(&mut self, problem: &str) -> InterleaveError {
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

/// Returns whether somebody waits, through others, for itself.
fn has_circle(graph: &[Vec<usize>]) -> bool {
    (0..graph.len()).any(|start| {
        let (mut seen, mut next) = (vec![false; graph.len()], graph[start].clone());
        while let Some(at) = next.pop() {
            if at == start {
                return true;
            }
            if !std::mem::replace(&mut seen[at], true) {
                next.extend(&graph[at]);
            }
        }
        false
    })
}
