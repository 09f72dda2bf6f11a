//! The reasons why an [`Interleave`](super::Interleave) could not be run.

use std::{error::Error, fmt};

use diesel::result::Error as DieselError;

use super::{BoxError, MOST_SESSIONS, schedule::Schedule};

/// The reason why an [`Interleave`](super::Interleave) could not be run.
#[derive(Debug)]
#[non_exhaustive]
pub enum InterleaveError {
    /// There are no sessions, or more than five.
    Sessions(usize),
    /// A connection could not be made or prepared.
    Connect(String),
    /// The `setup` function failed.
    Setup(BoxError),
    /// The `observe` function failed.
    Observe(BoxError),
    /// The server did not tell who waits, or did not end a session.
    Server(DieselError),
    /// A session neither stopped in front of a statement, nor ended, nor waited for a session that could go on, for the time of
    /// [`step_timeout`](super::Interleave::step_timeout).
    Stuck {
        /// The activity of the sessions, as the server reports it.
        problem: String,
        /// The statements so far.
        schedule: Schedule,
    },
    /// The text given to [`replay`](super::Interleave::replay) names a session that cannot go on.
    Replay(String),
}

impl fmt::Display for InterleaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InterleaveError::Sessions(0) => f.write_str("no sessions: add some with `session`"),
            InterleaveError::Sessions(n) => write!(f, "{n} sessions have too many orders: use {MOST_SESSIONS} at most"),
            InterleaveError::Connect(error) => write!(f, "no connection for a session: {error}"),
            InterleaveError::Setup(error) => write!(f, "`setup` failed: {error}"),
            InterleaveError::Observe(error) => write!(f, "`observe` failed: {error}"),
            InterleaveError::Server(error) => write!(f, "the server does not tell who waits: {error}"),
            InterleaveError::Stuck { problem, schedule } => write!(f, "{problem}\n{schedule}"),
            InterleaveError::Replay(problem) => write!(f, "the schedule does not fit the sessions: {problem}"),
        }
    }
}

impl Error for InterleaveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            InterleaveError::Setup(error) | InterleaveError::Observe(error) => Some(&**error),
            InterleaveError::Server(error) => Some(error),
            _ => None,
        }
    }
}

impl From<DieselError> for InterleaveError {
    fn from(error: DieselError) -> Self {
        InterleaveError::Server(error)
    }
}
