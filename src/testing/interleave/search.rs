//! The decisions of a run: all of them in turn, chosen at random, given by a text, or one session after the other.

use std::str::Chars;

use super::{
    InterleaveError,
    schedule::{Fault, Move, Parked},
};

/// Decides which session goes on.
pub(super) trait Choose {
    /// Chooses one of the parked sessions. `last` is the session of the last step; no session has met a fault before if one `may_fail`.
    fn choose(&mut self, parked: &[Parked<'_>], last: Option<usize>, may_fail: bool) -> Result<Move, InterleaveError>;
}

/// The faults that sessions may meet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) kills: bool,
    /// Of answers to a `COMMIT`.
    pub(super) losses: bool,
}

impl Faults {
    pub(super) fn any(self) -> bool {
        self.kills || self.losses
    }

    /// Returns the faults that a session may meet where it stands.
    fn of(self, parked: &Parked<'_>) -> impl Iterator<Item = Move> {
        let session = parked.session;
        let killed = self.kills.then_some(Move::meet(session, Fault::Killed));
        let lost = (self.losses && parked.commits).then_some(Move::meet(session, Fault::AnswerLost));
        killed.into_iter().chain(lost)
    }
}

/// The place of a statement that is local makes no difference: it is sent at once, and is no decision.
fn local(parked: &[Parked<'_>]) -> Option<Move> {
    parked.iter().find(|parked| parked.local).map(|parked| Move::go(parked.session))
}

/// Returns the possible decisions: first to go on with the session that had the turn.
fn options(parked: &[Parked<'_>], last: Option<usize>, faults: Faults) -> Vec<Move> {
    let mut parked: Vec<&Parked<'_>> = parked.iter().collect();
    parked.sort_by_key(|parked| (Some(parked.session) != last, parked.session));
    let failed = parked.iter().flat_map(|parked| faults.of(parked));
    parked.iter().map(|parked| Move::go(parked.session)).chain(failed).collect()
}

/// One session after the other.
pub(super) struct Serial<'s>(pub(super) &'s [usize]);

impl Choose for Serial<'_> {
    fn choose(&mut self, parked: &[Parked<'_>], _: Option<usize>, _: bool) -> Result<Move, InterleaveError> {
        let next = self.0.iter().find(|session| parked.iter().any(|parked| parked.session == **session));
        next.map(|session| Move::go(*session)).ok_or_else(|| InterleaveError::Replay("nobody can go on".to_owned()))
    }
}

struct Node {
    options: Vec<Move>,
    taken: usize,
}

/// All decisions, depth first: each run takes those of the one before, up to the last one that has another option.
#[derive(Default)]
pub(super) struct DepthFirst {
    nodes: Vec<Node>,
    depth: usize,
    faults: Faults,
    /// The number of runs whose sessions did not stand where they stood before.
    pub(super) diverged: usize,
    /// A run had more decisions than are followed.
    pub(super) cut: bool,
    astray: bool,
}

/// After so many decisions, as when sessions retry for ever, the first option is taken.
const DEEPEST: usize = 150;

impl DepthFirst {
    pub(super) fn new(faults: Faults) -> Self {
        DepthFirst { faults, ..DepthFirst::default() }
    }

    /// Goes to the next run; returns `false` if there is none.
    pub(super) fn advance(&mut self) -> bool {
        self.depth = 0;
        self.diverged += usize::from(std::mem::take(&mut self.astray));
        while let Some(node) = self.nodes.last_mut() {
            node.taken += 1;
            if node.taken < node.options.len() {
                return true;
            }
            self.nodes.pop();
        }
        false
    }
}

impl Choose for DepthFirst {
    fn choose(&mut self, parked: &[Parked<'_>], last: Option<usize>, may_fail: bool) -> Result<Move, InterleaveError> {
        if let Some(local) = local(parked) {
            return Ok(local);
        }
        let options = options(parked, last, if may_fail { self.faults } else { Faults::default() });
        if options.len() == 1 || self.astray {
            return Ok(options[0]);
        }
        let depth = self.depth;
        self.depth += 1;
        if depth >= DEEPEST {
            self.cut = true;
            return Ok(options[0]);
        }
        match self.nodes.get(depth) {
            Some(node) if node.options == options => Ok(options[node.taken]),
            Some(node) => {
                let wanted = node.options[node.taken];
                self.astray = true;
                Ok(if options.contains(&wanted) { wanted } else { options[0] })
            }
            None => {
                let first = options[0];
                self.nodes.push(Node { options, taken: 0 });
                Ok(first)
            }
        }
    }
}

/// Random decisions, with a limited number of preemptions: turns that a session loses although it could go on.
pub(super) struct Sampled {
    pub(super) rng: fastrand::Rng,
    pub(super) preemptions: usize,
    /// The number of decisions that is expected.
    pub(super) steps: usize,
    pub(super) faults: Faults,
}

impl Choose for Sampled {
    fn choose(&mut self, parked: &[Parked<'_>], last: Option<usize>, may_fail: bool) -> Result<Move, InterleaveError> {
        if let Some(local) = local(parked) {
            return Ok(local);
        }
        let steps = self.steps.max(1);
        let goes_on = last.filter(|last| parked.iter().any(|parked| parked.session == *last));
        let chosen = match goes_on {
            Some(last) if self.preemptions == 0 || self.rng.usize(..steps) > self.preemptions || parked.len() == 1 => {
                last
            }
            _ => {
                let others: Vec<_> =
                    parked.iter().map(|parked| parked.session).filter(|it| Some(*it) != goes_on).collect();
                self.preemptions -= usize::from(goes_on.is_some());
                others[self.rng.usize(..others.len())]
            }
        };
        let faults: Vec<Move> = (parked.iter().filter(|parked| may_fail && parked.session == chosen))
            .flat_map(|parked| self.faults.of(parked))
            .collect();
        // A session commits once, and may be killed in front of each of its statements.
        let rarely = if faults.iter().any(|fault| fault.fault == Some(Fault::AnswerLost)) { 2 } else { steps };
        let fails = !faults.is_empty() && self.rng.usize(..rarely) == 0;
        Ok(if fails { faults[self.rng.usize(..faults.len())] } else { Move::go(chosen) })
    }
}

/// The decisions of a [`Schedule::id`](super::Schedule::id), then those of [`DepthFirst`]'s first run.
pub(super) struct Replay<'s>(pub(super) Chars<'s>);

impl Choose for Replay<'_> {
    fn choose(&mut self, parked: &[Parked<'_>], last: Option<usize>, _: bool) -> Result<Move, InterleaveError> {
        if let Some(local) = local(parked) {
            return Ok(local);
        }
        let Some(letter) = self.0.next() else { return Ok(options(parked, last, Faults::default())[0]) };
        let wanted = Move::of_letter(letter).filter(|wanted| parked.iter().any(|it| it.session == wanted.session));
        wanted.ok_or_else(|| {
            let rest = self.0.as_str();
            let at: Vec<_> =
                parked.iter().map(|it| format!("{} ({})", Move::go(it.session).letter(), it.sql)).collect();
            InterleaveError::Replay(format!(
                "`{letter}` before `{rest}` cannot go on; those that can: {}",
                at.join(", ")
            ))
        })
    }
}
