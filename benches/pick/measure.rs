//! What is measured, in which order, and how two sides are compared.

use std::{
    io::IsTerminal,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    backlog::{Backlog, INDEX, SHARE},
    median::median,
    shared::Result,
    sides::Task,
    work::{Operation, Side},
};

#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) per_call: Vec<u32>,
    pub(crate) workers: Vec<u32>,
    /// How long one measurement should take.
    pub(crate) time: Duration,
    /// How often each side is measured when one job is taken by each call.
    pub(crate) runs: u32,
}

/// One line of the table: the rates of each side, run by run.
#[derive(Debug, Clone)]
pub(crate) struct Comparison {
    pub(crate) operation: Operation,
    pub(crate) per_call: u32,
    pub(crate) workers: u32,
    pub(crate) ours: Vec<f64>,
    pub(crate) bare: Vec<f64>,
    pub(crate) short: Vec<f64>,
}

impl Comparison {
    /// The median of the ratios, run by run: what slows a while of the machine down slows both sides of a pair.
    pub(crate) fn ratio(&self) -> f64 {
        median(ratios(&self.ours, &self.bare))
    }

    /// The same against the shorter statement.
    pub(crate) fn ratio_to_short(&self) -> Option<f64> {
        (!self.short.is_empty()).then(|| median(ratios(&self.ours, &self.short)))
    }

    /// The lowest and the highest of the ratios.
    pub(crate) fn spread(&self) -> (f64, f64) {
        ratios(&self.ours, &self.bare)
            .fold((f64::INFINITY, 0.0), |(low, high), ratio| (ratio.min(low), ratio.max(high)))
    }
}

fn ratios<'a>(ours: &'a [f64], other: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    ours.iter().zip(other).map(|(ours, other)| ours / other)
}

impl Plan {
    /// Single picks and claims have a target, and are measured more often.
    fn runs(&self, per_call: u32) -> u32 {
        if per_call == 1 { self.runs } else { (self.runs / 4).max(3).min(self.runs) }
    }

    pub(crate) fn run(&self, backlog: &Backlog<'_>, stop: &AtomicBool) -> Result<Vec<Comparison>> {
        let sides: usize = Operation::ALL.iter().map(|operation| operation.sides().len()).sum();
        let steps = |per_call: &u32| sides * self.runs(*per_call) as usize + Operation::ALL.len();
        let progress = progress(self.per_call.iter().map(steps).sum::<usize>() * self.workers.len())?;
        let mut comparisons = Vec::new();
        for operation in Operation::ALL {
            for &per_call in &self.per_call {
                for &workers in &self.workers {
                    let message = format!("{operation}, {per_call} per call, {workers} workers");
                    progress.set_message(message.clone());
                    let task = Task { operation, per_call, workers, rounds: 0 };
                    let comparison = self.compare(task, backlog, stop, &progress)?;
                    let ratio = format!("{message}: {:.3}", comparison.ratio());
                    progress.suspend(|| eprintln!("{ratio}"));
                    comparisons.push(comparison);
                }
            }
        }
        progress.finish_and_clear();
        Ok(comparisons)
    }

    /// Lets all sides do the same number of rounds, in turns: once from the first to the last, once back, and so on.
    ///
    /// The same number of rounds, not the same time: then each side leaves the same dead entries behind for itself to
    /// walk over, and none of them runs out of jobs.
    fn compare(
        &self,
        mut task: Task,
        backlog: &Backlog<'_>,
        stop: &AtomicBool,
        progress: &ProgressBar,
    ) -> Result<Comparison> {
        let Task { operation, per_call, workers, .. } = task;
        backlog.fill(INDEX)?;
        let rate = task.try_out(backlog.database, self.time.min(Duration::from_millis(500)), stop)?;
        let jobs = SHARE * f64::from(backlog.rows) / f64::from(per_call);
        let rounds = (rate * self.time.as_secs_f64()).min(jobs) / f64::from(workers);
        task.rounds = (rounds as u32).max(1);
        progress.inc(1);

        let mut comparison = Comparison { operation, per_call, workers, ours: vec![], bare: vec![], short: vec![] };
        let expected = u64::from(task.rounds * workers * per_call);
        for run in 0..self.runs(per_call) {
            let mut sides = operation.sides().to_vec();
            if run % 2 == 1 {
                sides.reverse();
            }
            for side in sides {
                backlog.ready(expected)?;
                let before = backlog.taken()?;
                let rate = task.run(side, backlog.database, stop)?;
                if stop.load(SeqCst) {
                    return Err("interrupted".into());
                }
                let taken = backlog.taken()? - before;
                if taken != expected {
                    return Err(format!("{side:?} took {taken} jobs instead of {expected} ({task:?})").into());
                }
                match side {
                    Side::Ours => comparison.ours.push(rate),
                    Side::Bare => comparison.bare.push(rate),
                    Side::Short => comparison.short.push(rate),
                }
                progress.inc(1);
            }
        }
        Ok(comparison)
    }
}

/// A bar on a terminal; lines elsewhere; on standard error: standard output is for the result.
fn progress(steps: usize) -> Result<ProgressBar> {
    let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::stderr());
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    Ok(bar.with_style(ProgressStyle::with_template("[{bar:30}] {pos}/{len} {msg}, {eta} left")?.progress_chars("=> ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_are_compared_pair_by_pair() {
        let comparison = Comparison {
            operation: Operation::Pick,
            per_call: 1,
            workers: 4,
            ours: vec![90.0, 50.0, 99.0],
            bare: vec![100.0, 50.0, 90.0],
            short: vec![],
        };
        assert_eq!((comparison.ratio(), comparison.spread()), (1.0, (0.9, 1.1)));
        assert_eq!(comparison.ratio_to_short(), None);
    }
}
