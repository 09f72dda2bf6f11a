//! What came of the permutations of a script: each step is done, waits, or failed.

use std::fmt::{self, Debug};

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With what it returned, if that says anything.
    Done(String),
    /// With the error.
    Failed(String),
}

impl Outcome {
    pub(super) fn of<T: Debug, E: Debug>(result: Result<T, E>) -> Self {
        match result {
            Ok(value) => Self::Done(format!("{value:?}")),
            Err(error) => Self::Failed(format!("{error:?}")),
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(value) if value == "()" => f.write_str("done"),
            Self::Done(value) => write!(f, "done {value}"),
            Self::Failed(error) => write!(f, "failed({error})"),
        }
    }
}

/// The runs of a script, in the order of its permutations.
#[derive(Debug)]
#[must_use]
pub(crate) struct Runs(pub(crate) Vec<Run>);

impl Runs {
    /// Those that could be played to the end.
    pub(crate) fn possible(&self) -> impl Iterator<Item = &Run> {
        self.0.iter().filter(|run| run.is_possible())
    }
}

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs: Vec<_> = self.0.iter().map(Run::to_string).collect();
        f.write_str(&runs.join("\n\n"))
    }
}

/// A permutation and what came of it.
#[derive(Debug)]
pub(crate) struct Run {
    /// The steps in their order, separated by spaces.
    pub(super) permutation: String,
    pub(super) lines: Vec<String>,
    pub(super) outcomes: Vec<(String, Outcome)>,
    pub(super) possible: bool,
}

impl Run {
    pub(super) fn of_permutation(permutation: String) -> Self {
        Self { permutation, lines: Vec::new(), outcomes: Vec::new(), possible: true }
    }

    pub(crate) fn permutation(&self) -> &str {
        &self.permutation
    }

    /// Whether no session was asked for a step while it waited for one that the test had to move first.
    pub(crate) fn is_possible(&self) -> bool {
        self.possible
    }

    /// What the step `"s1.lock"` came to; `None` if it never ended.
    pub(crate) fn outcome(&self, step: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|(name, _)| name == step).map(|(_, outcome)| outcome)
    }

    /// The steps that failed, in the order of their failing.
    pub(crate) fn failed(&self) -> Vec<&str> {
        self.outcomes.iter().filter(|(_, outcome)| outcome.has_failed()).map(|(name, _)| name.as_str()).collect()
    }

    /// Whether `step` waited for a lock.
    pub(crate) fn waited(&self, step: &str) -> bool {
        self.lines.iter().any(|line| line.starts_with(&format!("{step}: waits for ")))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "permutation: {}\n{}", self.permutation, self.lines.join("\n"))
    }
}
