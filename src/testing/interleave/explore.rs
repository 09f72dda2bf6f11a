//! Runs the orders one after the other, and collects what they lead to.

use std::fmt;

use super::{
    Anomaly, Interleave, InterleaveError, MOST_SESSIONS,
    deadlock::Deadlock,
    judge::{Judge, orders},
    report::{Collected, Coverage, Report},
    run::{self, Ran},
    schedule::{Schedule, Step},
    search::{Choose, DepthFirst, Replay, Sampled},
};
use crate::{backend::LockingBackend as _, blocking::LockConnection, testing::server::TestBackend};

impl<C, O> Interleave<'_, C, O>
where
    C: LockConnection<Backend: TestBackend>,
    O: Eq + fmt::Debug,
{
    /// Runs all serial orders, then all orders of the statements, or a sample of them. Blocks until all have run.
    ///
    /// # Errors
    ///
    /// [`InterleaveError`], if a connection, `setup` or `observe` fails, or a session does not get on. An error of a session belongs to the
    /// outcome, and is none here.
    pub fn run(&self) -> Result<Report<O>, InterleaveError> {
        let (mut observer, mut judge, mut report) = self.begin()?;
        let estimate = self.estimate(&judge);
        report.coverage = Coverage::Exhaustive;
        if estimate <= self.options.max_schedules {
            let mut all = DepthFirst::new(self.options.faults);
            // A closure that branches or retries can have more orders than its serial runs promise.
            let limit = self.options.max_schedules.saturating_mul(if self.options.faults.any() { 4 } else { 2 });
            loop {
                self.collect(&mut observer, &mut judge, &mut report, &mut all)?;
                if !all.advance() {
                    break;
                }
                if report.schedules >= limit {
                    report.coverage = self.sampled();
                    break;
                }
            }
            if all.cut {
                report.coverage = self.sampled();
            }
            report.diverged = all.diverged;
        } else {
            report.coverage = self.sampled();
        }
        if report.coverage != Coverage::Exhaustive {
            self.sample(&mut observer, &mut judge, &mut report)?;
        }
        Ok(self.end(judge, report))
    }

    /// Runs one order: that of a [`Schedule::id`]. The report has what it leads to.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and [`InterleaveError::Replay`] if the sessions do not stop where they stopped before, as when the server
    /// chooses another victim of a deadlock.
    pub fn replay(&self, id: &str) -> Result<Report<O>, InterleaveError> {
        let (mut observer, mut judge, mut report) = self.begin()?;
        report.coverage = Coverage::Replayed;
        self.collect(&mut observer, &mut judge, &mut report, &mut Replay(id.chars()))?;
        Ok(self.end(judge, report))
    }

    fn begin(&self) -> Result<(C, Judge<O>, Collected<O>), InterleaveError> {
        let sessions = self.sessions.len();
        if !(1..=MOST_SESSIONS).contains(&sessions) {
            return Err(InterleaveError::Sessions(sessions));
        }
        let mut observer = C::establish(&self.url).map_err(|error| InterleaveError::Connect(error.to_string()))?;
        C::Backend::tune(&mut observer);
        let mut judge = Judge { serial: Default::default() };
        for order in orders(&self.members()) {
            judge.outcome(self, &mut observer, &order)?;
        }
        Ok((observer, judge, Collected::default()))
    }

    fn end(&self, judge: Judge<O>, collected: Collected<O>) -> Report<O> {
        let names = self.sessions.iter().map(|session| session.name.clone()).collect();
        let complete = judge.serial.into_iter().filter(|(order, _)| order.len() == self.sessions.len());
        let serial = complete.map(|(order, outcome)| (order, outcome.rows, outcome.ended)).collect();
        Report { names, serial, collected, allowed: self.options.allowed.clone() }
    }

    fn schedule(&self, steps: Vec<Step>, id: String) -> Schedule {
        Schedule { names: self.sessions.iter().map(|session| session.name.clone()).collect(), steps, id }
    }

    fn members(&self) -> Vec<usize> {
        (0..self.sessions.len()).collect()
    }

    fn sampled(&self) -> Coverage {
        Coverage::Sampled { seed: self.options.seed, preemptions: self.options.preemptions }
    }

    fn sample(&self, observer: &mut C, judge: &mut Judge<O>, report: &mut Collected<O>) -> Result<(), InterleaveError> {
        let steps = self.members().iter().map(|session| self.statements(judge, *session)).sum();
        let mut rng = fastrand::Rng::with_seed(self.options.seed);
        for _ in 0..self.options.samples {
            let rng = rng.fork();
            let Interleave { options, .. } = self;
            let mut drawn = Sampled { rng, preemptions: options.preemptions, steps, faults: options.faults };
            self.collect(observer, judge, report, &mut drawn)?;
        }
        Ok(())
    }

    /// Resets the rows, runs the members once, and reads the rows.
    pub(super) fn once(
        &self,
        observer: &mut C,
        members: &[usize],
        choose: &mut dyn Choose,
    ) -> Result<(Ran, O), InterleaveError> {
        (self.setup)(observer).map_err(InterleaveError::Setup)?;
        let ran = run::run(self, observer, members, choose)?;
        let rows = (self.observe)(observer).map_err(InterleaveError::Observe)?;
        Ok((ran, rows))
    }

    fn collect(
        &self,
        observer: &mut C,
        judge: &mut Judge<O>,
        report: &mut Collected<O>,
        choose: &mut dyn Choose,
    ) -> Result<(), InterleaveError> {
        let (ran, rows) = self.once(observer, &self.members(), choose)?;
        let holds = self.invariants.iter().all(|invariant| invariant(&rows));
        let anomaly = if holds { judge.judge(self, observer, &ran, &rows)? } else { Some(Anomaly::BrokenInvariant) };
        let schedule = self.schedule(ran.steps, ran.id);
        for at_work in &ran.deadlocks {
            Deadlock::note(&mut report.deadlocks, C::Backend::DIALECT, at_work, &schedule);
        }
        report.add(anomaly, schedule, rows, ran.ended);
        Ok(())
    }

    /// Returns the number of statements of a session that are decisions, by its serial runs.
    fn statements(&self, judge: &Judge<O>, session: usize) -> usize {
        judge.serial.values().map(|outcome| outcome.statements[session]).max().unwrap_or(0)
    }

    /// Returns the number of orders, if the sessions have as many statements as in their serial runs and none waits.
    fn estimate(&self, judge: &Judge<O>) -> usize {
        let (mut orders, mut all) = (1.0_f64, 0_usize);
        for session in self.members() {
            for statement in 1..=self.statements(judge, session) {
                all += 1;
                orders *= all as f64 / statement as f64;
            }
        }
        orders.round() as usize
    }
}
