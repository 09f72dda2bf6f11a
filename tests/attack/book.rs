//! What was counted, and the table of it.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use crate::{
    phases::{Family, Level, Phase},
    settings::Settings,
};

/// What the model holds an answer to. The documentation of the program says what each means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    Fresh,
    Exact,
    Order,
    Held,
    Least,
    Whole,
    Once,
    Kept,
    Deadlock,
    Error,
}

/// The counts of one phase, or of one session in it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) operations: usize,
    pub(crate) rows: usize,
    pub(crate) retryable: usize,
    pub(crate) contended: usize,
    pub(crate) missing: usize,
    pub(crate) deadlocks: usize,
    /// Deadlocks of which the server does not say who was in them.
    pub(crate) unattributed: usize,
    pub(crate) broken: BTreeMap<Rule, Broken>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Broken {
    count: usize,
    first: String,
}

impl Tally {
    pub(crate) fn broken(&mut self, rule: Rule, story: impl FnOnce() -> String) {
        let broken = self.broken.entry(rule).or_default();
        broken.count += 1;
        if broken.count == 1 {
            broken.first = story();
        }
    }

    pub(crate) fn add(&mut self, other: Tally) {
        let Tally { operations, rows, retryable, contended, missing, deadlocks, unattributed, broken } = other;
        self.operations += operations;
        self.rows += rows;
        self.retryable += retryable;
        self.contended += contended;
        self.missing += missing;
        self.deadlocks += deadlocks;
        self.unattributed += unattributed;
        for (rule, Broken { count, first }) in broken {
            let sum = self.broken.entry(rule).or_default();
            if sum.count == 0 {
                sum.first = first;
            }
            sum.count += count;
        }
    }
}

/// The results of an attack on one server.
#[derive(Debug)]
pub(crate) struct Book {
    server: String,
    family: Family,
    settings: Settings,
    phases: Vec<(&'static Phase, Level, Tally)>,
}

impl Book {
    pub(crate) fn new(server: String, family: Family, settings: Settings) -> Self {
        Self { server, family, settings, phases: Vec::new() }
    }

    pub(crate) fn add(&mut self, phase: &'static Phase, level: Level, tally: Tally) {
        self.phases.push((phase, level, tally));
    }

    /// Ends the test.
    ///
    /// # Panics
    ///
    /// If a rule was broken in a phase that is not open for it.
    pub(crate) fn close(&self) {
        println!("{self}");
        let mut forbidden = String::new();
        for (phase, level, tally) in &self.phases {
            let open = (phase.open)(self.family, *level);
            for (rule, broken) in &tally.broken {
                if !open.is_some_and(|open| open.rules.contains(rule)) {
                    let Broken { count, first } = broken;
                    let replay = self.settings.replay(phase.name);
                    write!(forbidden, "\n{count} × {rule:?}, first: {first}\n  again: {replay}").expect("a string");
                }
            }
        }
        assert!(forbidden.is_empty(), "seed {}{forbidden}\n{self}", self.settings.seed);
    }
}

impl fmt::Display for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { seconds, seed, .. } = &self.settings;
        writeln!(f, "attack on {}, {seconds} s, seed {seed}", self.server)?;
        writeln!(
            f,
            "{:<34} {:<3} {:>10} {:>8} {:>9} {:>9} {:>7} {:>9}  violations",
            "phase", "", "operations", "rows", "retryable", "contended", "missing", "deadlocks"
        )?;
        for (phase, level, tally) in &self.phases {
            let Tally { operations, rows, retryable, contended, missing, deadlocks, unattributed, broken } = tally;
            let deadlocks =
                if *unattributed == 0 { deadlocks.to_string() } else { format!("{deadlocks} ({unattributed}?)") };
            write!(
                f,
                "{:<34} {:<3} {operations:>10} {rows:>8} {retryable:>9} {contended:>9} {missing:>7} {deadlocks:>9}  ",
                phase.name,
                level.short()
            )?;
            let open = (phase.open)(self.family, *level);
            let kinds: Vec<String> = broken.iter().map(|(rule, broken)| format!("{rule:?} {}", broken.count)).collect();
            write!(f, "{}", if kinds.is_empty() { "0".to_owned() } else { kinds.join(", ") })?;
            match open {
                Some(open) => writeln!(f, "  open: {}", open.kind)?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}
