//! The text of each error: the state, then the advice. Except for `Query`, it does not repeat the text of the source. The alternate form,
//! `{:#}`, also has the statements of the sessions that hold a lock.

use std::fmt;

use super::{
    Attempt, Holder, LockError,
    listed::{Listed, verb},
    obstacle::Subject,
};

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockError::NotInTransaction => f.write_str(
                "no transaction is open, so row locks would be released as soon as they are taken: \
                 lock inside `connection.transaction(|connection| ..)`",
            ),
            LockError::Missing { rows } => {
                let verb = verb(rows, "does", "do");
                write!(f, "{} {verb} not exist: deleted since it was loaded, or never there", Listed(rows))
            }
            LockError::NotInSet { type_name, key } => write!(
                f,
                "{type_name} {key} is not part of this lock set: it was neither added to it nor chosen by one of its \
                 queries, or all of its rows were taken out before"
            ),
            LockError::AlreadyTaken { type_name, key } => write!(
                f,
                "{type_name} {key} was already taken out of this lock set: each row is there once, however often it was added"
            ),
            LockError::Stale { rows } => {
                for (number, row) in rows.iter().enumerate() {
                    write!(f, "{}{row}", if number == 0 { "" } else { ", " })?;
                }
                let verb = if rows.len() == 1 { "has" } else { "have" };
                write!(f, " {verb} changed since it was loaded: load it again, and decide anew")
            }
            LockError::Contended { rows, holders, .. } => {
                let verb = verb(rows, "is", "are");
                // Rows that a query would choose have no names yet on SQLite.
                f.write_str(if rows.is_empty() { "the rows" } else { "" })?;
                let rows = Listed(rows);
                write!(f, "{rows} {verb} held by another transaction, and this call was told not to wait")?;
                Holder::list(holders, f)?;
                f.write_str(": try again later, or give it time")
            }
            LockError::TimedOut { attempt, .. } => {
                f.write_str("timed out after ")?;
                match attempt {
                    Some(attempt) => attempt.fmt(f)?,
                    None => f.write_str("the server's limit for lock waits")?,
                }
                f.write_str(match attempt.as_ref().map(|attempt| (attempt.migration().is_some(), attempt.rolled_back())) {
                    Some((true, true)) => ": nothing of it is kept; run it again, or allow more time",
                    Some((true, false)) => {
                        ": the statements before it are committed, so it is not run again; take them back or complete it by hand, and \
                         write one statement per migration"
                    }
                    _ => ": run the transaction again, or allow more time",
                })
            }
            LockError::ReadOnly(_) => f.write_str(
                "rows cannot be locked in a read-only transaction: open it for writing, on a server that takes writes",
            ),
            LockError::Unsupported { clause, advice } => {
                write!(f, "locking is not possible with {clause}: {advice}")
            }
            LockError::NotLockable { table, rows, reason, .. } => {
                write!(f, "{} cannot be locked: {reason}", Subject(table, rows))
            }
            LockError::Deadlock { attempt, .. } => {
                f.write_str("deadlock")?;
                After(attempt.as_deref()).fmt(f)?;
                f.write_str(": this transaction was chosen to give way to another; run all of it again")
            }
            LockError::Serialization { attempt, .. } => {
                f.write_str("serialization failure")?;
                After(attempt.as_deref()).fmt(f)?;
                f.write_str(
                    ": another transaction changed a row that this one had read or was about to lock; run all of it again",
                )
            }
            LockError::LimitedRowsChanged { table } => write!(
                f,
                "rows of {table} changed while the set waited, and one that it wants now is held by another transaction; waiting \
                 for it behind what this transaction has locked could end in a deadlock: run the transaction again"
            ),
            LockError::OutOfOrder { after, back_to } => write!(
                f,
                "this lock set goes back to {back_to} after an earlier one had locked {after}: another transaction that \
                 does the opposite can deadlock with it; put both into one set"
            ),
            LockError::RetriesExhausted { tries, elapsed, nested, .. } => {
                let times = if *tries == 1 { "try" } else { "tries" };
                write!(f, "gave up after {tries} {times} in {} ms", elapsed.as_millis())?;
                if *nested {
                    f.write_str(", as a transaction inside of another one cannot be run again by itself")?;
                }
                self.last().conflict().map_or(Ok(()), |conflict| write!(f, "; the last one ended with {conflict}"))
            }
            LockError::Aborted => f.write_str(
                "not committed: the closure returned `Ok`, but a statement in it had failed and the server had given the \
                 transaction up, or the closure had ended the transaction itself",
            ),
            LockError::Canceled { attempt, .. } => {
                f.write_str("canceled by an administrator or by the server's limit for statements")?;
                After(attempt.as_deref()).fmt(f)
            }
            LockError::CommitUnknown(_) => f.write_str(
                "it is not known whether this was committed: the answer to the commit is missing; look whether the work is \
                 there before doing it again",
            ),
            LockError::AdvisoryLockLost { name } => write!(
                f,
                "the session did not have the advisory lock {name:?} any more when the closure had ended, whose work is done: look \
                 whether another session has done the same at the same time"
            ),
            LockError::ConnectionLost(_) => {
                f.write_str("the connection to the server is lost, and with it the transaction and its locks")
            }
            LockError::Query(error) => write!(f, "the statement failed: {error}"),
        }
    }
}

impl LockError {
    /// Returns the name of a conflict with another transaction.
    fn conflict(&self) -> Option<&'static str> {
        match self {
            LockError::Deadlock { .. } => Some("a deadlock"),
            LockError::Serialization { .. } => Some("a serialization failure"),
            LockError::LimitedRowsChanged { .. } => Some("rows that had changed"),
            LockError::TimedOut { .. } => Some("a timeout"),
            LockError::Contended { .. } => Some("a row that another transaction held"),
            _ => None,
        }
    }
}

/// Displays " after 200 ms waiting for rows of ..", or nothing if there is no attempt.
struct After<'a>(Option<&'a Attempt>);

impl fmt::Display for After<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(attempt) = self.0 else { return Ok(()) };
        f.write_str(" after ")?;
        attempt.fmt(f)
    }
}
