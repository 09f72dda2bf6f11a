//! The report of all runs: outcomes, and those that no serial order has.

use std::{collections::BTreeSet, fmt};

use super::{Ended, anomaly::Anomaly, deadlock::Deadlock, schedule::Schedule};

/// The orders that were run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Coverage {
    /// All orders of the statements.
    Exhaustive,
    /// Orders drawn at random.
    Sampled {
        /// The seed of the draws.
        seed: u64,
        /// The largest number of times that the turn was taken from a session that could go on.
        preemptions: usize,
    },
    /// The one order that was asked for.
    #[default]
    Replayed,
}

/// The rows after a run, and what the closures returned.
#[derive(Debug)]
pub struct Outcome<O> {
    rows: O,
    ended: Vec<Option<Ended>>,
    schedules: usize,
    anomaly: Option<Anomaly>,
    schedule: Schedule,
}

/// An outcome that is an [`Anomaly`], with an order of statements that leads to it.
pub type Finding<O> = Outcome<O>;

impl<O> Outcome<O> {
    /// Returns what `observe` returned.
    pub fn rows(&self) -> &O {
        &self.rows
    }

    /// Returns what the closures returned, in the order of the sessions: `Ok(..)` with the `Debug` text, `Err(..)` with the `Display` text.
    pub fn results(&self) -> Vec<String> {
        self.ended.iter().map(|ended| ended.as_ref().map_or("-".to_owned(), ToString::to_string)).collect()
    }

    /// Returns the number of orders that led to this outcome.
    pub fn schedules(&self) -> usize {
        self.schedules
    }

    /// Returns the anomaly; `None` if the outcome is that of a serial order.
    pub fn anomaly(&self) -> Option<Anomaly> {
        self.anomaly
    }

    /// Returns one of the orders that led to this outcome, with few changes of the turn.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }
}

/// The outcomes so far.
#[derive(Debug)]
pub(super) struct Collected<O> {
    pub(super) coverage: Coverage,
    pub(super) schedules: usize,
    pub(super) diverged: usize,
    pub(super) deadlocks: Vec<Deadlock>,
    outcomes: Vec<Outcome<O>>,
}

impl<O> Default for Collected<O> {
    fn default() -> Self {
        let (deadlocks, outcomes) = (Vec::new(), Vec::new());
        Collected { coverage: Coverage::default(), schedules: 0, diverged: 0, deadlocks, outcomes }
    }
}

impl<O: Eq> Collected<O> {
    pub(super) fn add(&mut self, anomaly: Option<Anomaly>, schedule: Schedule, rows: O, ended: Vec<Option<Ended>>) {
        self.schedules += 1;
        let same = |it: &&mut Outcome<O>| it.anomaly == anomaly && it.rows == rows && it.ended == ended;
        match self.outcomes.iter_mut().find(same) {
            Some(outcome) => {
                outcome.schedules += 1;
                if schedule.switches() < outcome.schedule.switches() {
                    outcome.schedule = schedule;
                }
            }
            None => self.outcomes.push(Outcome { rows, ended, schedules: 1, anomaly, schedule }),
        }
    }
}

/// The result of [`Interleave::run`](super::Interleave::run). `Display` writes the findings, each with an order of statements that leads to
/// it.
#[derive(Debug)]
pub struct Report<O> {
    pub(super) names: Vec<String>,
    pub(super) serial: Vec<(Vec<usize>, O, Vec<Option<Ended>>)>,
    pub(super) collected: Collected<O>,
    pub(super) allowed: Vec<Anomaly>,
}

impl<O> Report<O> {
    /// Returns the number of orders that were run, without the serial ones.
    pub fn schedules(&self) -> usize {
        self.collected.schedules
    }

    /// Returns which orders were run.
    pub fn coverage(&self) -> Coverage {
        self.collected.coverage
    }

    /// Returns the different outcomes.
    pub fn outcomes(&self) -> &[Outcome<O>] {
        &self.collected.outcomes
    }

    /// Returns the outcomes that are anomalies, without those that are [allowed](super::Interleave::allow).
    pub fn findings(&self) -> Vec<&Finding<O>> {
        let unwanted = |anomaly: Anomaly| !self.allowed.contains(&anomaly);
        self.collected.outcomes.iter().filter(|outcome| outcome.anomaly.is_some_and(unwanted)).collect()
    }

    /// Returns the kinds of the [findings](Self::findings), each once, in the order of [`Anomaly`].
    pub fn anomalies(&self) -> Vec<Anomaly> {
        let kinds: BTreeSet<_> = self.findings().iter().filter_map(|finding| finding.anomaly).collect();
        kinds.into_iter().collect()
    }
}

impl<O: fmt::Debug> Report<O> {
    /// Passes if there are no [findings](Self::findings).
    ///
    /// # Panics
    ///
    /// With the whole report, if there are any.
    #[track_caller]
    pub fn assert_serializable(&self) {
        assert!(self.findings().is_empty(), "{self}");
    }
}

impl<O: fmt::Debug> fmt::Display for Report<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Collected { schedules, diverged, .. } = self.collected;
        let names = self.names.join(", ");
        match self.collected.coverage {
            Coverage::Exhaustive => writeln!(f, "{names}: {schedules} schedules, all orders of their statements")?,
            Coverage::Sampled { seed, preemptions } => writeln!(
                f,
                "{names}: {schedules} schedules, a sample with seed {seed} and up to {preemptions} preemptions"
            )?,
            Coverage::Replayed => writeln!(f, "{names}: one schedule")?,
        }
        if diverged > 0 {
            writeln!(
                f,
                "{diverged} of them went another way than the one before: the server or a closure decided otherwise"
            )?;
        }
        writeln!(f, "serial orders:")?;
        for (order, rows, ended) in &self.serial {
            let order: Vec<_> = order.iter().map(|session| self.names[*session].as_str()).collect();
            writeln!(f, "  {}: {}, rows {rows:?}", order.join(", "), self.results(ended))?;
        }
        let findings = self.findings();
        if findings.is_empty() {
            return writeln!(f, "every outcome is that of a serial order");
        }
        for finding in findings {
            let anomaly = finding.anomaly.map(|anomaly| anomaly.to_string()).unwrap_or_default();
            writeln!(f, "\n{anomaly}, in {} schedules, for example:", finding.schedules)?;
            write!(f, "{}", finding.schedule)?;
            writeln!(f, "  {}, rows {:?}", self.results(&finding.ended), finding.rows)?;
            writeln!(f, "  run it again with `.replay(\"{}\")`", finding.schedule.id())?;
        }
        Ok(())
    }
}

impl<O> Report<O> {
    fn results(&self, ended: &[Option<Ended>]) -> String {
        let result = |(name, ended): (&String, &Option<Ended>)| Some(format!("{name} {}", ended.as_ref()?));
        self.names.iter().zip(ended).filter_map(result).collect::<Vec<_>>().join(", ")
    }
}
