//! One order of statements: the decisions that lead to it, and what came of each.

use std::fmt;

use crate::error::Conflict;

/// A fault that a session meets instead of going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is killed in front of its statement.
    Killed,
    /// The server executes its statement, and the answer is lost with the connection.
    AnswerLost,
}

/// A decision: which session goes on, or meets a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) session: usize,
    pub(crate) fault: Option<Fault>,
}

impl Move {
    pub(crate) fn go(session: usize) -> Self {
        Move { session, fault: None }
    }

    pub(super) fn meet(session: usize, fault: Fault) -> Self {
        Move { session, fault: Some(fault) }
    }

    /// Returns a letter: the session by number, in upper case if it is killed, and a digit if it loses an answer.
    pub(crate) fn letter(self) -> char {
        let first = match self.fault {
            None => b'a',
            Some(Fault::Killed) => b'A',
            Some(Fault::AnswerLost) => b'0',
        };
        char::from(first + u8::try_from(self.session.min(9)).unwrap_or_default())
    }

    pub(crate) fn of_letter(letter: char) -> Option<Self> {
        let (first, fault) = match letter {
            'a'..='j' => ('a', None),
            'A'..='J' => ('A', Some(Fault::Killed)),
            '0'..='9' => ('0', Some(Fault::AnswerLost)),
            _ => return None,
        };
        Some(Move { session: usize::try_from(u32::from(letter) - u32::from(first)).ok()?, fault })
    }
}

/// A session in front of a statement.
pub(super) struct Parked<'r> {
    pub(super) session: usize,
    pub(super) local: bool,
    pub(super) commits: bool,
    pub(super) sql: &'r str,
}

/// A statement that was let go, and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) session: usize,
    pub(crate) sql: String,
    pub(crate) fault: Option<Fault>,
    /// The session had to wait, for these others as far as the server tells.
    pub(crate) blocked: Option<Vec<usize>>,
    pub(crate) error: Option<(String, Option<Conflict>)>,
    /// The sessions whose wait this step ended.
    pub(crate) woke: Vec<usize>,
}

/// The order in which the statements of the sessions were sent. `Display` writes a table.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub(crate) names: Vec<String>,
    pub(crate) steps: Vec<Step>,
    pub(crate) id: String,
}

impl Schedule {
    /// Returns the text by which [`Interleave::replay`](super::Interleave::replay) runs this order again: a letter for each decision, `a`
    /// for the first session, in upper case where the session is killed, `0` where the answer to its `COMMIT` is lost.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the number of times that the turn went from one session to another.
    #[must_use]
    pub fn switches(&self) -> usize {
        self.steps.windows(2).filter(|pair| pair[0].session != pair[1].session).count()
    }

    fn name(&self, session: usize) -> &str {
        self.names.get(session).map_or("?", String::as_str)
    }

    fn listed(&self, sessions: &[usize]) -> String {
        sessions.iter().map(|session| self.name(*session)).collect::<Vec<_>>().join(", ")
    }

    fn effect(&self, step: &Step) -> String {
        let mut effects = Vec::new();
        match step.fault {
            Some(Fault::Killed) => effects.push("the session is killed here".to_owned()),
            Some(Fault::AnswerLost) => effects.push("the answer is lost".to_owned()),
            None => {}
        }
        match &step.blocked {
            Some(by) if by.is_empty() => effects.push("blocked".to_owned()),
            Some(by) => effects.push(format!("blocked by {}", self.listed(by))),
            None => {}
        }
        if let Some((error, _)) = &step.error {
            effects.push(format!("fails: {}", error.lines().next().unwrap_or_default()));
        }
        if !step.woke.is_empty() {
            effects.push(format!("wakes {}", self.listed(&step.woke)));
        }
        effects.join("; ")
    }
}

/// The longest text of a statement that is shown in a table.
const WIDEST: usize = 110;

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |step: &Step| {
            let sql = step.sql.strip_suffix(" -- binds: []").unwrap_or(&step.sql);
            let sql = sql.split_whitespace().collect::<Vec<_>>().join(" ");
            match sql.char_indices().nth(WIDEST) {
                Some((end, _)) => format!("{}..", &sql[..end]),
                None => sql,
            }
        };
        let texts: Vec<_> = self.steps.iter().map(text).collect();
        let name = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("session".len());
        let width = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0);
        writeln!(f, "  step  {:name$}  statement", "session")?;
        for (at, (step, text)) in self.steps.iter().zip(&texts).enumerate() {
            let line =
                format!("  {:>4}  {:name$}  {text:width$}  {}", at + 1, self.name(step.session), self.effect(step));
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
