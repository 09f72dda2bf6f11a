//! The calls of sets: how they end, and whether those that gave up should have waited.

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use diesel_lockset::LockError;

use super::{
    Conn, FAMILY,
    judge::Judge,
    wish::{Answer, Verb, Wish},
    world::{Role, World},
};
use crate::{
    endings::{GivenUp, Kind, Outcome},
    phases::{Family, keeps_a_snapshot},
};

/// How long a probe waits.
const LIMIT: Duration = Duration::from_secs(5);

/// How long a probe pauses that has given up.
const PAUSE: Duration = Duration::from_millis(2);

/// How long after a deadlock its session has said so. Until then a session that has probed begins nothing, so a circle that it
/// is in is one of its probe.
const SLACK: Duration = Duration::from_millis(100);

/// The probes of a phase, and the deadlocks that other sessions ended in meanwhile.
#[derive(Debug, Default)]
pub(super) struct Probes {
    probes: Mutex<Vec<Probe>>,
    deadlocks: Mutex<Vec<Deadlock>>,
}

#[derive(Debug, Clone)]
struct Probe {
    pid: i32,
    began: Instant,
    ended: Instant,
    found: GivenUp,
}

/// A deadlock that a session ended in, with the sessions of its circle if the server tells.
#[derive(Debug)]
struct Deadlock {
    at: Instant,
    circle: Option<Vec<i32>>,
}

impl Probes {
    pub(super) fn deadlock(&self, at: Instant, circle: Option<Vec<i32>>) {
        self.deadlocks.lock().unwrap_or_else(PoisonError::into_inner).push(Deadlock { at, circle });
    }

    /// What the probes found. A wait that ended because another session of its circle was ended was not right.
    pub(super) fn found(&self, world: &World<'_>) -> Vec<GivenUp> {
        let deadlocks = self.deadlocks.lock().unwrap_or_else(PoisonError::into_inner);
        let probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let found = probes.iter().cloned().map(|Probe { pid, began, ended, mut found }| {
            let meanwhile = || deadlocks.iter().filter(|one| (began..=ended + SLACK).contains(&one.at));
            if !matches!(found.outcome, Outcome::Right | Outcome::Limit) {
                return found;
            }
            let mut circles = meanwhile().filter_map(|one| one.circle.as_ref());
            if let Some(circle) = circles.find(|circle| circle.contains(&pid)) {
                found.outcome = Outcome::Deadlock { of_sets: is_of_sets(world, circle), of_another: true };
            } else if meanwhile().any(|one| one.circle.is_none()) {
                found.outcome =
                    Outcome::Unknown("another deadlock, whose sessions the server does not name".to_owned());
            }
            found
        });
        found.collect()
    }
}

/// Whether all sessions are those that lock one set in each transaction.
pub(super) fn is_of_sets(world: &World<'_>, circle: &[i32]) -> bool {
    circle.iter().all(|pid| world.role(*pid) == Some(Role::Locker))
}

impl Judge<'_> {
    /// Locks a set, and judges the error if there is one. `behind` says whether the transaction holds the rows of another set.
    pub(super) fn lock(&mut self, wish: &Wish, behind: bool, conn: &mut Conn) -> Result<Answer, LockError> {
        self.called = self.world.journal.tick();
        let answer = wish.lock(conn);
        let endings = &mut self.tally.endings;
        if wish.waits() {
            endings.calls += 1;
            endings.limited += usize::from(wish.is_limited());
        }
        if let Err(error) = &answer {
            if wish.waits() {
                endings.of_calls.count(error);
            }
            self.refused(wish, error);
            if self.world.settings.probes && matches!(error, LockError::LimitedRowsChanged { .. }) {
                self.probe(wish, behind, conn);
            }
        }
        answer
    }

    /// Finds out what would have become of a call that gave up if it had waited.
    fn probe(&mut self, wish: &Wish, behind: bool, conn: &mut Conn) {
        let began = Instant::now();
        let outcome = if FAMILY == Family::Postgres && wish.verb == Verb::WithLock {
            Outcome::Unknown("the savepoint of with_lock has released the locks".to_owned())
        } else {
            self.wait(wish, began, conn)
        };
        let ended = Instant::now();
        let kind = if wish.is_limited() { Kind::Limited } else { Kind::Keys };
        let found = GivenUp { kind, behind, outcome, waited: ended - began };
        let probe = Probe { pid: self.pid, began, ended, found };
        self.world.probes.probes.lock().unwrap_or_else(PoisonError::into_inner).push(probe);
        self.probed = Some(ended);
    }

    /// Makes the call again, in the same transaction, until it does not give up.
    fn wait(&mut self, wish: &Wish, began: Instant, conn: &mut Conn) -> Outcome {
        loop {
            let left = LIMIT.saturating_sub(began.elapsed());
            if left < PAUSE {
                return Outcome::Limit;
            }
            match wish.again(left).lock(conn) {
                Ok(_) => return Outcome::Right,
                // The call chooses by its snapshot first, so the row in question is behind its ordered pass again.
                Err(LockError::LimitedRowsChanged { .. }) if keeps_a_snapshot(FAMILY, self.world.level) => {
                    return Outcome::Unknown("the call gives up again, and does not wait for the row".to_owned());
                }
                Err(LockError::LimitedRowsChanged { .. }) => thread::sleep(PAUSE),
                Err(LockError::TimedOut { .. }) => return Outcome::Limit,
                Err(LockError::Deadlock { source, .. }) => {
                    let at = Instant::now();
                    let circle = self.witness.circle(&source, self.pid);
                    let of_sets = circle.as_ref().is_some_and(|circle| is_of_sets(self.world, circle));
                    self.world.probes.deadlock(at, circle);
                    return Outcome::Deadlock { of_sets, of_another: false };
                }
                Err(error) => return Outcome::Unknown(error.to_string()),
            }
        }
    }

    /// Returns when nobody reports a deadlock of this session's last probe any more.
    pub(super) fn rest(&mut self) {
        if let Some(ended) = self.probed.take() {
            thread::sleep((ended + SLACK).saturating_duration_since(Instant::now()));
        }
    }
}
