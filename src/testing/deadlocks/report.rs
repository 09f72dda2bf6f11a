//! The report of a deadlock.

use std::fmt;

use crate::{session::LockSession, waits::text};

/// A deadlock, with what is known of each of its sessions. [`DeadlockLog`](super::DeadlockLog) makes it.
///
/// Its `Display` is shown [there](super::DeadlockLog#example): control characters are escaped, and a statement is cut after 120 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadlockReport {
    /// The sessions: first the one whose statement was refused. On PostgreSQL each waited for the next one, and the last for the first.
    pub sides: Vec<DeadlockSide>,
}

/// A session of a deadlock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadlockSide {
    /// The number of the session at the server.
    pub session: i64,
    /// Whether the server has named the session. Otherwise it is one of this process that had a statement under way at the time.
    pub is_certain: bool,
    /// The newest statements of its transaction, in the order of sending. Empty for a session that this process does not watch.
    pub statements: Vec<LoggedStatement>,
    /// The session as the server shows it later, after [`complete`](super::DeadlockLog::complete), if it has no statements here and is still
    /// connected.
    pub found: Option<LockSession>,
}

/// A statement of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedStatement {
    /// The text, as Diesel's `DebugQuery` writes it, with the parameters.
    pub sql: String,
    /// File and line of the nearest caller that belongs neither to a library nor to this crate, if there is debug information.
    pub place: Option<String>,
}

impl DeadlockReport {
    /// Returns the sides without statements.
    pub(super) fn unknown(&mut self) -> impl Iterator<Item = &mut DeadlockSide> {
        self.sides.iter_mut().filter(|side| side.statements.is_empty())
    }
}

impl DeadlockSide {
    pub(super) fn new(session: i64, is_certain: bool, statements: Vec<LoggedStatement>) -> Self {
        DeadlockSide { session, is_certain, statements, found: None }
    }
}

impl fmt::Display for DeadlockReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sides.iter().filter(|side| side.is_certain).count() {
            1 => f.write_str("deadlock")?,
            more => write!(f, "deadlock of {more} sessions")?,
        }
        for (i, side) in self.sides.iter().enumerate() {
            let perhaps = if side.is_certain { "" } else { ", perhaps: it had a statement under way" };
            write!(f, "\n{side}{}", if i == 0 { " was refused its last statement" } else { perhaps })?;
            if side.statements.is_empty() && side.found.is_none() {
                f.write_str(", not watched by this process")?;
            }
            for LoggedStatement { sql, place } in &side.statements {
                write!(f, "\n│ {}", text::statement(sql))?;
                place.iter().try_for_each(|place| write!(f, "    at {}", text::one_line(place)))?;
            }
            if let Some(statement) = side.found.as_ref().and_then(|found| found.statement.as_ref()) {
                write!(f, "\n│ last seen: {}", text::statement(statement))?;
            }
        }
        if self.sides.len() == 1 {
            f.write_str("\nthe other sessions are not watched by this process")?;
        }
        Ok(())
    }
}

/// The session in a line.
impl fmt::Display for DeadlockSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.found {
            Some(found) => write!(f, "{}, now {}", text::who(found), text::state(found)),
            None => write!(f, "session {}", self.session),
        }
    }
}
