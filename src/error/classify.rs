//! From Diesel's errors to ours. The only place that reads an error's text.
//!
//! Diesel keeps a few codes apart ([`DatabaseErrorKind`]) and drops every other one that matters here, so the rest can only be
//! told by the text. Whose text it is makes a difference: a stored procedure may raise any words it likes. And the text does
//! not say which server it is from; the words of one server are not those of another.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

use super::{LockError, LockObstacle, Refusal, mysql, postgres};

type Info = dyn DatabaseErrorInformation + Send + Sync;

/// What a database's error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Deadlock,
    Serialization,
    ReadOnly,
    ConnectionLost,
    TimedOut,
    Contended,
    Canceled,
    NotATable,
    NoPrimaryKey,
    NoPrivilege,
}

impl Class {
    /// Of an error of any statement.
    ///
    /// A deadlock of PostgreSQL is believed if the detail reports a circle of processes, which a procedure that merely raises
    /// the same words does not. MySQL and MariaDB have no details, and Diesel tells a raised 1213 as it does the server's
    /// own, so there the whole message has to do: for 1213, 1020 and the loss of the connection. What a procedure gets by
    /// raising them (with `SIGNAL`) is that its transaction is rolled back and run again, some times. The other mistake would
    /// be worse: the server has rolled back and nobody knows.
    ///
    /// A timeout comes with nothing but its words and calls for nothing but wait_policy: it stays without a class.
    fn of_any_statement(kind: &DatabaseErrorKind, info: &Info) -> Option<Self> {
        match kind {
            // 40001 of PostgreSQL and 1213 of MySQL and MariaDB.
            DatabaseErrorKind::SerializationFailure if is(mysql::DEADLOCK, info) => Some(Class::Deadlock),
            DatabaseErrorKind::SerializationFailure => Some(Class::Serialization),
            DatabaseErrorKind::ReadOnlyTransaction => Some(Class::ReadOnly),
            DatabaseErrorKind::ClosedConnection => Some(Class::ConnectionLost),
            // libpq sends nothing over a lost connection, nor more parameters than the protocol has room for; of the second
            // it names the number, in every language.
            DatabaseErrorKind::UnableToSendCommand if !info.message().contains("65535") => Some(Class::ConnectionLost),
            DatabaseErrorKind::Unknown if is_circle(info) => Some(Class::Deadlock),
            DatabaseErrorKind::Unknown => first_of(
                info,
                &[
                    (mysql::DEADLOCK, Class::Deadlock),
                    (mysql::CHANGED, Class::Serialization),
                    (mysql::READ_ONLY, Class::ReadOnly),
                    (mysql::LOST, Class::ConnectionLost),
                    (mysql::LOST_NOW, Class::ConnectionLost),
                ],
            ),
            _ => None,
        }
    }

    /// Of an error of a locking statement that this crate wrote: here the server's words are the server's.
    fn of_locking_statement(kind: &DatabaseErrorKind, info: &Info) -> Option<Self> {
        Self::of_any_statement(kind, info).or_else(|| match kind {
            DatabaseErrorKind::Unknown if is_sample(info) => Some(Class::NotATable),
            DatabaseErrorKind::Unknown => first_of(
                info,
                &[
                    (postgres::LOCK_TIMEOUT, Class::TimedOut),
                    (postgres::LOCK_NOT_AVAILABLE, Class::Contended),
                    (postgres::CANCELED, Class::Canceled),
                    (postgres::MATERIALIZED_VIEW, Class::NotATable),
                    (postgres::NO_PRIVILEGE, Class::NoPrivilege),
                    (mysql::LOCK_TIMEOUT, Class::TimedOut),
                    (mysql::NO_WAIT, Class::Contended),
                    (mysql::USER_LOCK_DEADLOCK, Class::Deadlock),
                    (mysql::CANCELED, Class::Canceled),
                    (mysql::NO_PRIMARY_KEY, Class::NoPrimaryKey),
                ],
            ),
            _ => None,
        })
    }

    fn error(self, source: DieselError) -> LockError {
        match self {
            Class::Deadlock => LockError::Deadlock { attempt: None, source },
            Class::Serialization => LockError::Serialization { attempt: None, source },
            Class::ReadOnly => LockError::ReadOnly(source),
            Class::ConnectionLost => LockError::ConnectionLost(source),
            Class::TimedOut => LockError::TimedOut { attempt: None, source: Some(Refusal::timed_out(source)) },
            Class::Contended => {
                let source = Some(Refusal::contended(source));
                LockError::Contended { rows: Vec::new(), holders: Vec::new(), source }
            }
            Class::Canceled => LockError::Canceled { attempt: None, source },
            Class::NotATable => not_lockable(source, LockObstacle::NotATable, postgres::MATERIALIZED_VIEW),
            Class::NoPrimaryKey => not_lockable(source, LockObstacle::NoPrimaryKey, mysql::NO_PRIMARY_KEY),
            Class::NoPrivilege => not_lockable(source, LockObstacle::Privilege, postgres::NO_PRIVILEGE),
        }
    }
}

/// The table as the message has it; a call names the one that it was at.
fn not_lockable(source: DieselError, reason: LockObstacle, messages: &[&str]) -> LockError {
    let named = match &source {
        DieselError::DatabaseError(_, info) => named(messages, info.message()),
        _ => None,
    };
    let table = named.unwrap_or_default().to_owned();
    LockError::NotLockable { table, rows: Vec::new(), reason, source: Some(Box::new(source)) }
}

/// The class of an error of any statement: `?` in a closure ends here.
pub(super) fn any_statement(error: DieselError) -> LockError {
    classed(error, Class::of_any_statement)
}

/// The class of an error of a locking statement that this crate wrote.
pub(super) fn locking_statement(error: DieselError) -> LockError {
    classed(error, Class::of_locking_statement)
}

fn classed(error: DieselError, class: fn(&DatabaseErrorKind, &Info) -> Option<Class>) -> LockError {
    match error {
        DieselError::DatabaseError(ref kind, ref info) => match class(kind, &**info) {
            Some(class) => class.error(error),
            None => LockError::Query(error),
        },
        // Diesel does not know any more whether a transaction is open: it lost the connection while one was.
        DieselError::BrokenTransactionManager => LockError::ConnectionLost(error),
        // A failed rollback hides the error that made it necessary; that one says what to do.
        DieselError::RollbackErrorOnCommit { commit_error, .. } => classed(*commit_error, class),
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
        DieselError::DatabaseError(kind, info) => {
            matches!(Class::of_any_statement(kind, &**info), Some(Class::Deadlock | Class::Serialization))
        }
        DieselError::RollbackErrorOnCommit { commit_error, .. } => is_retryable(commit_error),
        DieselError::QueryBuilderError(inner) => inner.downcast_ref().is_some_and(LockError::is_retryable),
        _ => false,
    }
}

/// Whether a `COMMIT`, or a statement that is committed by itself, may have been committed although it ended in this error.
///
/// It was not if it was never sent. What the server says when it ends a session does not count: libpq has an error of its own
/// behind that, which is the one that Diesel shows. The words of a canceled statement are believed of any `COMMIT`, also if a
/// procedure raises them: not to know is the safe side.
pub(super) fn may_be_committed(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _) => true,
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, info) => {
            [mysql::LOST, mysql::LOST_NOW, mysql::CANCELED, mysql::DURING_COMMIT, postgres::CANCELED]
                .iter()
                .any(|messages| is(messages, &**info))
        }
        DieselError::RollbackErrorOnCommit { commit_error, .. } => may_be_committed(commit_error),
        _ => false,
    }
}

/// Whether a text is that of a deadlock or a serialization failure: for an error of which nothing else is to be seen.
///
/// Anybody may raise such words, and is retried some times, as for those of MySQL and MariaDB. Not to retry a transaction that has
/// lost would be worse.
pub(super) fn is_text_of_a_lost_conflict(text: &str) -> bool {
    let lists = [postgres::DEADLOCK, postgres::SERIALIZATION, mysql::DEADLOCK, mysql::CHANGED];
    lists.iter().any(|messages| named(messages, text).is_some())
}

/// Whether the error has undone its own statement and nothing else, as far as the words tell: those of MySQL and MariaDB do.
pub(super) fn is_of_the_statement(error: &DieselError) -> bool {
    let DieselError::DatabaseError(_, info) = error else { return false };
    mysql::OF_THE_STATEMENT.iter().any(|messages| is(messages, &**info))
}

#[allow(dead_code, reason = "of one backend only")]
pub(super) fn is_of_a_wait(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(_, info) if is(mysql::LOCK_TIMEOUT, &**info))
}

fn is_circle(info: &Info) -> bool {
    is(postgres::DEADLOCK, info) && info.details().is_some_and(reports_a_circle)
}

/// Raised while the statement was parsed: a function that raises the word has no place in the text.
fn is_sample(info: &Info) -> bool {
    info.statement_position().is_some() && info.message().contains(postgres::SAMPLE)
}

fn first_of(info: &Info, classes: &[(&[&str], Class)]) -> Option<Class> {
    classes.iter().find(|(messages, _)| is(messages, info)).map(|(_, class)| *class)
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

fn is(messages: &[&str], info: &Info) -> bool {
    named(messages, info.message()).is_some()
}

/// The name in a message that is one of these as a whole; empty where the message has no name. A part of a message would do for the
/// words inside of somebody's data.
fn named<'t>(messages: &[&str], text: &'t str) -> Option<&'t str> {
    messages.iter().find_map(|message| match message.split_once("%s") {
        Some((before, after)) => text.strip_prefix(before)?.strip_suffix(after).filter(|name| !name.is_empty()),
        None => (text == *message).then_some(""),
    })
}

#[cfg(test)]
mod tests;
