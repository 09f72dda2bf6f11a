//! Finds out what has become of a step: who stands in front of the next statement, who has ended, and who waits.

use std::time::{Duration, Instant};

use super::{
    InterleaveError,
    run::{Run, Session, State},
    session::Event,
};
use crate::{
    backend::LockingBackend as _,
    blocking::LockConnection,
    error::Conflict,
    testing::{
        server::TestBackend,
        statement::{Statement, Verb},
    },
};

/// The time that a statement has before the server is asked whether it waits. No outcome depends on it.
const BEFORE_ASKING: Duration = Duration::from_millis(2);

impl<C: LockConnection<Backend: TestBackend>> Run<'_, C> {
    /// Returns when each session stands in front of a statement, has ended, or waits for another one, as the server says.
    pub(super) fn settle(&mut self) -> Result<(), InterleaveError> {
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
                keeps && step.error.is_none() && step.fault.is_none()
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
        for (place, blockers) in graph.into_iter().enumerate() {
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
            let by = if blockers.is_empty() { other.collect() } else { blockers };
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
                if conflict == Some(Conflict::Deadlock) {
                    self.deadlocks.push(self.at_work.clone());
                }
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
