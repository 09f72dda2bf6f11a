//! How the calls of sets that wait end in conflicts, by cause, and what became of those that the crate gave up.
//!
//! A set waits in one ordered pass. If it needs a row behind that pass which another session holds, it gives up, with
//! `LockError::LimitedRowsChanged`. The documentation of the program says how a probe finds out whether a wait would have been right.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use diesel::result::Error as DieselError;
use diesel_lockset::LockError;

use crate::phases::{Level, Phase};

/// The causes of conflicts.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Causes {
    pub(crate) deadlocks: usize,
    pub(crate) serializations: usize,
    /// Not retried unless a transaction asks for it.
    pub(crate) timed_out: usize,
    /// The crate's own decision.
    pub(crate) given_up: usize,
    /// Other errors of statements by hand, of a duplicate key for instance.
    pub(crate) by_hand: usize,
}

/// What a set asked for that gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The rows of a limited query, perhaps beside others.
    Limited,
    /// Keys, and perhaps a query without a limit.
    Keys,
}

/// What became of the wait of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It got all rows.
    Right,
    /// It ended in a deadlock, or another session's deadlock ended it.
    Deadlock {
        /// Whether the circle was of sessions that lock one set each.
        of_sets: bool,
        /// Whether the server ended another session.
        of_another: bool,
    },
    /// It was still waiting at the limit.
    Limit,
    /// No wait was made, or the server does not tell how it ended.
    Unknown(String),
}

/// A call that gave up.
#[derive(Debug, Clone)]
pub(crate) struct GivenUp {
    pub(crate) kind: Kind,
    /// Whether the transaction held the rows of an earlier set.
    pub(crate) behind: bool,
    pub(crate) outcome: Outcome,
    /// How long the probe took.
    pub(crate) waited: Duration,
}

/// The counts of one phase, or of one session in it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Endings {
    /// Calls of sets that wait.
    pub(crate) calls: usize,
    /// Those of them with a limited query.
    pub(crate) limited: usize,
    /// How these calls ended.
    pub(crate) of_calls: Causes,
    /// How transactions ended, or tries of one, whatever was done in them.
    pub(crate) of_transactions: Causes,
    /// What probes found out.
    pub(crate) given_up: Vec<GivenUp>,
}

impl Causes {
    pub(crate) fn count(&mut self, error: &LockError) {
        match error.last() {
            LockError::Deadlock { .. } => self.deadlocks += 1,
            LockError::Serialization { .. } => self.serializations += 1,
            LockError::TimedOut { .. } => self.timed_out += 1,
            LockError::LimitedRowsChanged { .. } => self.given_up += 1,
            LockError::Query(DieselError::DatabaseError(..)) => self.by_hand += 1,
            _ => {}
        }
    }

    fn add(&mut self, other: Causes) {
        let Causes { deadlocks, serializations, timed_out, given_up, by_hand } = other;
        self.deadlocks += deadlocks;
        self.serializations += serializations;
        self.timed_out += timed_out;
        self.given_up += given_up;
        self.by_hand += by_hand;
    }
}

impl Endings {
    pub(crate) fn add(&mut self, other: Endings) {
        let Endings { calls, limited, of_calls, of_transactions, given_up } = other;
        self.calls += calls;
        self.limited += limited;
        self.of_calls.add(of_calls);
        self.of_transactions.add(of_transactions);
        self.given_up.extend(given_up);
    }

    fn line(&self, name: &str) -> String {
        let Causes { deadlocks, serializations, timed_out, given_up, .. } = self.of_calls;
        let (calls, limited) = (self.calls, self.limited);
        format!(
            "{name:<31} {calls:>8} {limited:>8} {deadlocks:>9} {serializations:>9} {timed_out:>9} {given_up:>8}  {}",
            outcomes(&self.given_up)
        )
    }
}

/// Four columns.
fn outcomes<'g>(all: impl IntoIterator<Item = &'g GivenUp>) -> String {
    let (mut right, mut deadlocks, mut of_sets, mut of_another, mut limit, mut unknown) = (0, 0, 0, 0, 0, 0);
    for GivenUp { outcome, .. } in all {
        match outcome {
            Outcome::Right => right += 1,
            Outcome::Deadlock { of_sets: alone, of_another: another } => {
                deadlocks += 1;
                of_sets += usize::from(*alone);
                of_another += usize::from(*another);
            }
            Outcome::Limit => limit += 1,
            Outcome::Unknown(_) => unknown += 1,
        }
    }
    let deadlocks = format!("{deadlocks} ({of_sets}, {of_another})");
    format!("{right:>6} {deadlocks:>14} {limit:>8} {unknown:>8}")
}

/// The table of one server.
pub(crate) fn table<'p>(phases: impl Iterator<Item = (&'static Phase, Level, &'p Endings)> + Clone) -> String {
    let columns = format!(
        "{:<31} {:>8} {:>8} {:>9} {:>9} {:>9} {:>8}  {:>6} {:>14} {:>8} {:>8}",
        "calls of sets that wait",
        "calls",
        "limited",
        "deadlock",
        "serializ.",
        "timed out",
        "given up",
        "right",
        "deadlock",
        "limit",
        "unknown"
    );
    let mut text = format!(
        "{columns}\n(deadlock: in brackets those of sets alone, and those that the server ended in another session)\n"
    );
    let mut put = |line: String| writeln!(text, "{line}").expect("a string");
    for (phase, level, endings) in phases.clone() {
        if endings.of_calls.given_up > 0 {
            put(endings.line(&format!("  {} {}", phase.name, level.short())));
        }
    }
    let mut all = Endings::default();
    for (level, sum) in by_level(phases) {
        put(sum.line(level.text()));
        all.add(sum);
    }
    put(all.line("all levels"));
    for (kind, name) in [(Kind::Limited, "by a limited query"), (Kind::Keys, "by key")] {
        for (behind, which) in [(false, "the first set"), (true, "behind a set")] {
            let some: Vec<&GivenUp> =
                all.given_up.iter().filter(|one| one.kind == kind && one.behind == behind).collect();
            put(format!("  {:<78} {:>8}  {}", format!("{name}, {which}"), some.len(), outcomes(some)));
        }
    }
    let mut times: Vec<Duration> =
        all.given_up.iter().filter(|one| one.outcome == Outcome::Right).map(|one| one.waited).collect();
    times.sort_unstable();
    if let (Some(median), Some(most)) = (times.get(times.len() / 2), times.last()) {
        put(format!("a wait that was right took {median:.1?} in the median and {most:.1?} at most"));
    }
    let mut unknown = BTreeMap::<&str, usize>::new();
    for one in &all.given_up {
        if let Outcome::Unknown(reason) = &one.outcome {
            *unknown.entry(reason).or_default() += 1;
        }
    }
    unknown.into_iter().for_each(|(reason, count)| put(format!("{count} unknown: {reason}")));
    put(format!("all transactions, whatever was done in them: {:?}", all.of_transactions));
    text
}

/// A line that says how many of the calls end in a conflict.
pub(crate) fn rates<'p>(phases: impl IntoIterator<Item = (&'static Phase, Level, &'p Endings)>) -> String {
    let levels = by_level(phases).into_iter().filter(|(_, sum)| sum.calls > 0).map(|(level, sum)| {
        let rate = |number: usize| 1000.0 * number as f64 / sum.calls as f64;
        let Causes { deadlocks, serializations, given_up, .. } = sum.of_calls;
        let (server, crate_) = (rate(deadlocks + serializations), rate(given_up));
        format!("{} {server:.1} and {crate_:.1}", level.short())
    });
    let levels: Vec<String> = levels.collect();
    format!("of 1000 calls of sets that wait the server ended, and the crate gave up: {}", levels.join(", "))
}

fn by_level<'p>(phases: impl IntoIterator<Item = (&'static Phase, Level, &'p Endings)>) -> [(Level, Endings); 3] {
    let mut levels = Level::ALL.map(|level| (level, Endings::default()));
    for (_, level, endings) in phases {
        levels.iter_mut().filter(|(of, _)| *of == level).for_each(|(_, sum)| sum.add(endings.clone()));
    }
    levels
}
