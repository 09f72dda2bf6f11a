//! What was measured: as a table, as a section of `RESULTS.md`, as a line of JSON.

use std::fmt;

use crate::{
    advice::Advice,
    circumstances::circumstances,
    measure::{Comparison, Plan},
    median::median,
    shared::{Database, Result},
    work::Operation,
};

/// What a ratio should not be below, for single picks and claims.
pub(crate) const TARGET: f64 = 0.9;

pub(crate) struct Report {
    pub(crate) comparisons: Vec<Comparison>,
    advice: Option<Advice>,
    circumstances: String,
}

impl Report {
    pub(crate) fn new(
        database: &Database,
        plan: &Plan,
        rows: u32,
        comparisons: Vec<Comparison>,
        advice: Option<Advice>,
    ) -> Result<Self> {
        let circumstances = format!(
            "{}, a backlog of {rows} rows, {} runs of {} s (a quarter of them for more than one job per call).",
            circumstances(&mut database.connect()?)?,
            plan.runs,
            plan.time.as_secs_f64(),
        );
        Ok(Report { comparisons, advice, circumstances })
    }

    /// `{"pick":{"1":{"1":0.97, ..}, ..}, ..}`: operation, jobs per call, workers, ratio.
    pub(crate) fn json(&self) -> String {
        let object = |entries: Vec<(String, String)>| {
            let entries: Vec<_> = entries.into_iter().map(|(key, value)| format!(r#""{key}":{value}"#)).collect();
            format!("{{{}}}", entries.join(","))
        };
        let operations = Operation::ALL.iter().map(|operation| {
            let of_operation: Vec<_> = self.comparisons.iter().filter(|line| line.operation == *operation).collect();
            let mut sizes: Vec<_> = of_operation.iter().map(|line| line.per_call).collect();
            sizes.dedup();
            let sizes = sizes.into_iter().map(|per_call| {
                let lines = of_operation.iter().filter(|line| line.per_call == per_call);
                let ratios = lines.map(|line| (line.workers.to_string(), format!("{:.3}", line.ratio())));
                (per_call.to_string(), object(ratios.collect()))
            });
            (operation.name().to_owned(), object(sizes.collect()))
        });
        object(operations.collect())
    }

    /// The section of `RESULTS.md`.
    pub(crate) fn section(&self) -> String {
        let Report { comparisons, advice, circumstances } = self;
        let lines: Vec<String> = comparisons
            .iter()
            .map(|line| format!("| {} |\n", cells(line).map(|cell| cell.trim().to_owned()).join(" | ")))
            .collect();
        format!(
            "## pick\n\n{circumstances} To repeat it: `cargo xtask bench pick`.\n\n{EXPLAINED}\n\n{}\n\n\
             ![ratios, by workers](pick.svg)\n\n| {} |\n|{}\n{}\n{}\n",
            self.verdict(),
            HEADINGS.join(" | "),
            " --- |".repeat(HEADINGS.len()),
            lines.concat(),
            advice.as_ref().map_or_else(String::new, Advice::section),
        )
    }

    fn verdict(&self) -> String {
        let singles: Vec<_> = self.comparisons.iter().filter(|line| line.per_call == 1).collect();
        let low: Vec<String> = singles
            .iter()
            .filter(|line| line.ratio() < TARGET)
            .map(|line| format!("{} with {} workers: {:.3}", line.operation, line.workers, line.ratio()))
            .collect();
        let lowest = singles.iter().map(|line| line.ratio()).fold(f64::INFINITY, f64::min);
        match low.is_empty() {
            true => format!("Single picks and claims: the lowest ratio is {lowest:.3}; the target is {TARGET}."),
            false => format!("Below the target of {TARGET}: {}.", low.join("; ")),
        }
    }
}

const EXPLAINED: &str = "\
Rounds per second of all workers together, medians; `ratio` is the median of the ratios of neighbouring runs, with the \
lowest and the highest of them behind it. `ours` is this crate: one blocking thread and connection per worker. `pgbench` \
runs the same SQL written by hand, with variables where Diesel binds values and a thread for each session too (`-n -M prepared -c workers -j workers`), \
and `shorter` the shortest statement by hand that does the work of a claim.

A pick is `BEGIN`, `SELECT .. FOR UPDATE OF jobs SKIP LOCKED LIMIT n`, `DELETE` of the picked rows by key, `COMMIT`; a \
claim is one statement, committed by itself. For 10 and 100, pgbench's pick fetches the keys as one array and not the \
rows, because it cannot keep more: that is in its favour. Each run does the same number of rounds, in turns; before each, \
the backlog is vacuumed, or filled anew if half of it were used up; after each, the rows that were taken are counted. \
Meanwhile each core has a process that runs only when nothing else wants to, so that no core goes to sleep: waking one takes \
a virtual machine longer than a pick.";

const HEADINGS: [&str; 8] =
    ["operation", "per call", "workers", "ours/s", "pgbench/s", "ratio", "spread", "ratio to shorter"];

fn cells(line: &Comparison) -> [String; 8] {
    let rate = |rates: &[f64]| format!("{:.0}", median(rates.iter().copied()));
    let (low, high) = line.spread();
    [
        line.operation.to_string(),
        line.per_call.to_string(),
        line.workers.to_string(),
        rate(&line.ours),
        rate(&line.bare),
        format!("{:.3}", line.ratio()),
        format!("{low:.2} to {high:.2}"),
        line.ratio_to_short().map_or_else(String::new, |ratio| format!("{ratio:.3}")),
    ]
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.circumstances)?;
        let row = |f: &mut fmt::Formatter<'_>, cells: [String; 8]| {
            let [operation, cells @ ..] = cells;
            write!(f, "{operation:<9}")?;
            cells.iter().zip([8, 7, 9, 9, 6, 12, 16]).try_for_each(|(cell, width)| write!(f, "  {cell:>width$}"))?;
            writeln!(f)
        };
        row(f, HEADINGS.map(str::to_owned))?;
        self.comparisons.iter().try_for_each(|line| row(f, cells(line)))?;
        write!(f, "\n{}", self.verdict())?;
        self.advice.iter().try_for_each(|advice| write!(f, "\n\n{}", advice.section()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_names_pick_and_claim_then_sizes_then_workers() {
        let line = |operation, per_call, workers, ours: f64| Comparison {
            operation,
            per_call,
            workers,
            ours: vec![ours],
            bare: vec![100.0],
            short: vec![],
        };
        let comparisons = vec![
            line(Operation::Pick, 1, 1, 97.0),
            line(Operation::Pick, 1, 4, 98.0),
            line(Operation::Pick, 10, 1, 100.0),
            line(Operation::Claim, 1, 1, 89.0),
        ];
        let report = Report { comparisons, advice: None, circumstances: String::new() };
        assert_eq!(report.json(), r#"{"pick":{"1":{"1":0.970,"4":0.980},"10":{"1":1.000}},"claim":{"1":{"1":0.890}}}"#);
        assert_eq!(report.verdict(), "Below the target of 0.9: claim with 1 workers: 0.890.");
    }
}
