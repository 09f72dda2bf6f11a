//! What was counted, and the table of it.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use crate::{
    endings::{self, Endings},
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
    /// Calls that are to be refused at this level.
    pub(crate) refused: usize,
    pub(crate) contended: usize,
    pub(crate) missing: usize,
    pub(crate) deadlocks: usize,
    /// Deadlocks of which the server does not say who was in them.
    pub(crate) unattributed: usize,
    pub(crate) broken: BTreeMap<Rule, Broken>,
    pub(crate) endings: Endings,
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
        let Tally {
            operations,
            rows,
            retryable,
            refused,
            contended,
            missing,
            deadlocks,
            unattributed,
            broken,
            endings,
        } = other;
        self.operations += operations;
        self.rows += rows;
        self.retryable += retryable;
        self.refused += refused;
        self.contended += contended;
        self.missing += missing;
        self.deadlocks += deadlocks;
        self.unattributed += unattributed;
        self.endings.add(endings);
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
        let book = Self { server, family, settings, phases: Vec::new() };
        println!("{}", book.headline());
        book
    }

    pub(crate) fn add(&mut self, phase: &'static Phase, level: Level, tally: Tally) {
        let turn = (phase, level, tally);
        println!("{}", self.line(&turn));
        self.phases.push(turn);
    }

    fn headline(&self) -> String {
        let Settings { seconds, seed, .. } = &self.settings;
        let columns = format!(
            "{:<26} {:<3} {:>10} {:>7} {:>9} {:>7} {:>9} {:>7} {:>9}  violations",
            "phase", "", "operations", "rows", "retryable", "refused", "contended", "missing", "deadlocks"
        );
        format!("attack on {}, {seconds} s, seed {seed}\n{columns}", self.server)
    }

    fn line(&self, (phase, level, tally): &(&'static Phase, Level, Tally)) -> String {
        let Tally { operations, rows, retryable, refused, contended, missing, deadlocks, unattributed, broken, .. } =
            tally;
        let unknown = if *unattributed == 0 { String::new() } else { format!(" ({unattributed} unknown)") };
        let broken: Vec<String> = broken.iter().map(|(rule, broken)| format!("{rule:?} {}", broken.count)).collect();
        let broken = if broken.is_empty() { "0".to_owned() } else { broken.join(", ") };
        let open = (phase.known)(self.family, *level);
        let open = open.iter().map(|open| format!(" [open: {}]", open.kind)).collect::<String>();
        format!(
            "{:<26} {:<3} {operations:>10} {rows:>7} {retryable:>9} {refused:>7} {contended:>9} {missing:>7} {deadlocks:>9}{unknown}  \
             {broken}{open}",
            phase.name,
            level.short()
        )
    }

    /// Ends the test.
    ///
    /// # Panics
    ///
    /// If a rule was broken in a phase that is not open for it.
    pub(crate) fn close(&self) {
        let phases = self.phases.iter().map(|(phase, level, tally)| (*phase, *level, &tally.endings));
        println!("{}", endings::rates(phases.clone()));
        if self.settings.probes {
            println!("{}", endings::table(phases));
        }
        let mut forbidden = String::new();
        for (phase, level, tally) in &self.phases {
            let open = (phase.known)(self.family, *level);
            for (rule, broken) in &tally.broken {
                if !open.iter().any(|open| open.rules.contains(rule)) {
                    let Broken { count, first } = broken;
                    let replay = self.settings.replay(phase.name);
                    write!(forbidden, "\n{count} × {rule:?}, first: {first}\n  again: {replay}").expect("a string");
                }
            }
        }
        assert!(forbidden.is_empty(), "seed {}{forbidden}\n{self}", self.settings.seed);
    }
}

/// The table, a line for each phase.
impl fmt::Display for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.headline())?;
        self.phases.iter().try_for_each(|turn| writeln!(f, "{}", self.line(turn)))
    }
}
