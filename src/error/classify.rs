//! From Diesel's errors to ours. The only place that reads an error's text.
//!
//! Diesel keeps SQLSTATE 40001, 25006 and lost connections apart and drops every other code that matters here, so the rest
//! can only be told by the text. Whose text it is makes a difference: a stored procedure may raise any words it likes.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

use super::{LockError, postgres};

/// The class of an error of any statement: `?` in a closure ends here.
///
/// A deadlock is believed if the detail reports a circle of processes, which a procedure that merely raises the same words
/// does not. A timeout comes with nothing but its words, so it stays a [`LockError::Query`] here.
pub(super) fn any_statement(error: DieselError) -> LockError {
    match error {
        DieselError::DatabaseError(kind, ref info) => match kind {
            DatabaseErrorKind::SerializationFailure => LockError::Serialization { attempt: None, source: error },
            DatabaseErrorKind::ReadOnlyTransaction => LockError::ReadOnly(error),
            DatabaseErrorKind::ClosedConnection => LockError::ConnectionLost(error),
            // libpq sends nothing over a lost connection, nor more parameters than the protocol has room for; of the second
            // it names the number, in every language.
            DatabaseErrorKind::UnableToSendCommand if !info.message().contains("65535") => {
                LockError::ConnectionLost(error)
            }
            DatabaseErrorKind::Unknown if is_deadlock(&**info) => LockError::Deadlock { attempt: None, source: error },
            _ => LockError::Query(error),
        },
        // Diesel does not know any more whether a transaction is open: it lost the connection while one was.
        DieselError::BrokenTransactionManager => LockError::ConnectionLost(error),
        // A failed rollback hides the error that made it necessary; that one says what to do.
        DieselError::RollbackErrorOnCommit { commit_error, .. } => any_statement(*commit_error),
        DieselError::QueryBuilderError(inner) => match inner.downcast::<LockError>() {
            Ok(error) => *error,
            Err(inner) => LockError::Query(DieselError::QueryBuilderError(inner)),
        },
        error => LockError::Query(error),
    }
}

/// Whether [`any_statement`] would find a class that can be retried.
pub(super) fn is_retryable(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => true,
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, info) => is_deadlock(&**info),
        DieselError::RollbackErrorOnCommit { commit_error, .. } => is_retryable(commit_error),
        DieselError::QueryBuilderError(inner) => inner.downcast_ref().is_some_and(LockError::is_retryable),
        _ => false,
    }
}

fn is_deadlock(info: &(dyn DatabaseErrorInformation + Send + Sync)) -> bool {
    is(postgres::DEADLOCK, info) && info.details().is_some_and(reports_a_circle)
}

/// "Process 7 waits for ShareLock on transaction 90; blocked by process 8.", a line for each process, in some language: each
/// process is named in two lines, so each line shares a number with the next one, and the last with the first.
fn reports_a_circle(detail: &str) -> bool {
    let numbers = |line: &str| -> Vec<u64> {
        line.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
    };
    let lines: Vec<_> = detail.lines().map(numbers).collect();
    let next = lines.iter().cycle().skip(1);
    lines.len() > 1 && lines.iter().zip(next).all(|(line, next)| line.iter().any(|number| next.contains(number)))
}

/// The class of an error of a locking statement that this crate wrote: here the server's words are the server's.
pub(super) fn locking_statement(error: DieselError) -> LockError {
    match any_statement(error) {
        LockError::Query(DieselError::DatabaseError(DatabaseErrorKind::Unknown, info)) => {
            let class = [postgres::LOCK_TIMEOUT, postgres::LOCK_NOT_AVAILABLE, postgres::CANCELED];
            let class = class.iter().position(|messages| is(messages, &*info));
            let source = DieselError::DatabaseError(DatabaseErrorKind::Unknown, info);
            match class {
                Some(0) => LockError::TimedOut { attempt: None, source: Some(source) },
                Some(1) => LockError::Contended { rows: Vec::new(), holders: Vec::new(), source: Some(source) },
                Some(_) => LockError::Canceled { attempt: None, source },
                None => LockError::Query(source),
            }
        }
        error => error,
    }
}

/// The whole message is one of these. A part of it would do for the words inside of somebody's data.
fn is(messages: &[&str], info: &(dyn DatabaseErrorInformation + Send + Sync)) -> bool {
    let text = info.message();
    messages.iter().any(|message| match message.split_once("%s") {
        Some((before, after)) => {
            text.len() > before.len() + after.len() && text.starts_with(before) && text.ends_with(after)
        }
        None => text == *message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_says(message: &str) -> DieselError {
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned()))
    }

    #[test]
    fn every_language_is_understood() {
        for message in postgres::LOCK_TIMEOUT {
            assert!(matches!(locking_statement(server_says(message)), LockError::TimedOut { .. }), "{message}");
        }
        for message in postgres::LOCK_NOT_AVAILABLE {
            let message = message.replace("%s", "accounts");
            assert!(matches!(locking_statement(server_says(&message)), LockError::Contended { .. }), "{message}");
        }
        for message in postgres::CANCELED {
            assert!(matches!(locking_statement(server_says(message)), LockError::Canceled { .. }), "{message}");
        }
    }

    #[test]
    fn a_circle_is_told_from_prose() {
        let server = "Process 71 waits for ShareLock on transaction 90; blocked by process 82.\n\
                      Process 82 waits for ShareLock on transaction 91; blocked by process 71.";
        assert!(reports_a_circle(server));
        let japanese = "プロセス 71 は ShareLock を トランザクション 90 で待機しています; プロセス 82 でブロックされています。\n\
                        プロセス 82 は ShareLock を トランザクション 91 で待機しています; プロセス 71 でブロックされています。";
        assert!(reports_a_circle(japanese));
        assert!(!reports_a_circle("Process 7 of the assembly line waits."));
        assert!(!reports_a_circle("Two carts want lamp 3.\nRestock 4."));
    }

    #[test]
    fn words_inside_of_other_words_mean_nothing() {
        for message in [
            "job 7 failed: deadlock detected",
            "canceling statement due to lock timeout (said a procedure)",
            "could not obtain lock on row in relation \"\"",
            "could not obtain lock on row in relation",
        ] {
            assert!(matches!(locking_statement(server_says(message)), LockError::Query(_)), "{message}");
        }
    }

    #[test]
    fn words_that_anybody_can_raise_are_not_believed_of_any_statement() {
        for message in [postgres::DEADLOCK[0], postgres::LOCK_TIMEOUT[0], postgres::CANCELED[0]] {
            assert!(matches!(any_statement(server_says(message)), LockError::Query(_)), "{message}");
        }
    }
}
