//! Classifies Diesel's errors, and converts them into [`LockError`]. Messages of servers are compared in this file only.
//!
//! Diesel distinguishes a few error codes ([`DatabaseErrorKind`]) and drops all others that matter here. Those errors are recognized by
//! their message. Any statement that runs a stored procedure can raise any message, so it matters which statement failed. The error does
//! not show which server it is from; no message of one server is also a message of another.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

use super::{LockError, LockObstacle, Refusal, mysql, postgres, sqlite};

type Info = dyn DatabaseErrorInformation + Send + Sync;

/// The class of an error that the database raised.
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
    /// Returns the class of an error of any statement.
    ///
    /// A deadlock of PostgreSQL is recognized if the detail reports a circle of processes, which a procedure that merely raises
    /// the same message does not do. MySQL and MariaDB have no details, and Diesel reports a raised 1213 like the server's
    /// own. So there the whole message decides: for 1213, 1020 and the loss of the connection. If a procedure raises such a message
    /// (with `SIGNAL`), its transaction is rolled back and run again a few times. The opposite mistake would be worse: the server has
    /// rolled back and the crate does not know it.
    ///
    /// A lock timeout has nothing but its message either, and missing it does no such harm: it gets no class here.
    fn of_any_statement(kind: &DatabaseErrorKind, info: &Info) -> Option<Self> {
        match kind {
            // 40001 of PostgreSQL and 1213 of MySQL and MariaDB.
            DatabaseErrorKind::SerializationFailure if is(mysql::DEADLOCK, info) => Some(Class::Deadlock),
            DatabaseErrorKind::SerializationFailure => Some(Class::Serialization),
            DatabaseErrorKind::ReadOnlyTransaction => Some(Class::ReadOnly),
            DatabaseErrorKind::ClosedConnection => Some(Class::ConnectionLost),
            // libpq refuses to send over a lost connection, and to send more parameters than the protocol allows. The message of the
            // second contains the number, in every language. `tokio-postgres` says so in words of its own.
            DatabaseErrorKind::UnableToSendCommand if is(postgres::NOT_SENT, info) => None,
            DatabaseErrorKind::UnableToSendCommand if !info.message().contains("65535") => Some(Class::ConnectionLost),
            DatabaseErrorKind::Unknown if is_circle(info) => Some(Class::Deadlock),
            DatabaseErrorKind::Unknown => first_of(
                info,
                &[
                    (mysql::DEADLOCK, Class::Deadlock),
                    (mysql::CHANGED, Class::Serialization),
                    (mysql::READ_ONLY, Class::ReadOnly),
                    (sqlite::READ_ONLY, Class::ReadOnly),
                    (mysql::LOST, Class::ConnectionLost),
                    (mysql::LOST_NOW, Class::ConnectionLost),
                    (postgres::ENDED, Class::ConnectionLost),
                ],
            ),
            _ => None,
        }
    }

    /// Returns the class of an error of a locking statement that this crate wrote. Its message is the server's own.
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
                    (sqlite::BUSY, Class::TimedOut),
                    (sqlite::SHARED, Class::TimedOut),
                    (sqlite::NO_TABLE, Class::NotATable),
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
            Class::NotATable => {
                let messages = [postgres::MATERIALIZED_VIEW, sqlite::NO_TABLE].concat();
                not_lockable(source, LockObstacle::NotATable, &messages)
            }
            Class::NoPrimaryKey => not_lockable(source, LockObstacle::NoPrimaryKey, mysql::NO_PRIMARY_KEY),
            Class::NoPrivilege => not_lockable(source, LockObstacle::Privilege, postgres::NO_PRIVILEGE),
        }
    }
}

/// Builds a `NotLockable` with the table name of the message. [`LockError::of_tables`] replaces the name later.
fn not_lockable(source: DieselError, reason: LockObstacle, messages: &[&str]) -> LockError {
    let named = match &source {
        DieselError::DatabaseError(_, info) => named(messages, info.message()),
        _ => None,
    };
    let table = named.unwrap_or_default().to_owned();
    LockError::NotLockable { table, rows: Vec::new(), reason, source: Some(Box::new(source)) }
}

/// Returns whether the crate knows what an error of one of its statements means.
#[allow(dead_code, reason = "of one backend only")]
pub(super) fn is_known(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(kind, info) if Class::of_locking_statement(kind, &**info).is_some())
}

/// The way in which a statement lost against another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Conflict {
    Deadlock,
    Serialization,
    /// The lock could not be had at once, or in time.
    NotAvailable,
}

impl Conflict {
    /// Returns the conflict that an error of any statement reports, by the messages of locking statements too.
    #[allow(dead_code, reason = "of one feature only")]
    pub(crate) fn of(error: &DieselError) -> Option<Self> {
        match error {
            DieselError::DatabaseError(kind, info) => match Class::of_locking_statement(kind, &**info)? {
                Class::Deadlock => Some(Conflict::Deadlock),
                Class::Serialization => Some(Conflict::Serialization),
                Class::TimedOut | Class::Contended => Some(Conflict::NotAvailable),
                _ => None,
            },
            DieselError::RollbackErrorOnCommit { commit_error, .. } => Self::of(commit_error),
            _ => None,
        }
    }
}

/// Returns whether an error means that the connection is lost.
pub(crate) fn is_connection_lost(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(kind, info) => Class::of_any_statement(kind, &**info) == Some(Class::ConnectionLost),
        _ => false,
    }
}

/// Converts an error of any statement. `?` in a closure calls it.
pub(super) fn any_statement(error: DieselError) -> LockError {
    classed(error, Class::of_any_statement)
}

/// Converts an error of a locking statement that this crate wrote.
pub(super) fn locking_statement(error: DieselError) -> LockError {
    classed(error, Class::of_locking_statement)
}

fn classed(error: DieselError, class: fn(&DatabaseErrorKind, &Info) -> Option<Class>) -> LockError {
    match error {
        DieselError::DatabaseError(ref kind, ref info) => match class(kind, &**info) {
            Some(class) => class.error(error),
            None => LockError::Query(error),
        },
        // Diesel does not know whether a transaction is still open: it lost the connection in one.
        DieselError::BrokenTransactionManager => LockError::ConnectionLost(error),
        // The error that made the rollback necessary decides, not that of the rollback.
        DieselError::RollbackErrorOnCommit { commit_error, .. } => classed(*commit_error, class),
        DieselError::QueryBuilderError(inner) => match inner.downcast::<LockError>() {
            Ok(error) => *error,
            Err(inner) => LockError::Query(DieselError::QueryBuilderError(inner)),
        },
        error => LockError::Query(error),
    }
}

/// Returns whether [`any_statement`] gives the error a class that is retried.
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

/// Returns whether a `COMMIT`, or a statement in autocommit, may have been committed although it ended in this error.
///
/// It was not committed if it was never sent. The message with which PostgreSQL ends a session is not examined: libpq then reports an
/// error of its own, and Diesel returns that. The message of a canceled statement counts for any `COMMIT`, also if a procedure may have
/// raised it: an unknown outcome is the safe answer.
pub(super) fn may_be_committed(error: &DieselError) -> bool {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, _) => true,
        // libpq says this of a statement that it did not send. `tokio-postgres` does not tell when it lost the connection.
        DieselError::DatabaseError(DatabaseErrorKind::UnableToSendCommand, info) => is(postgres::LOST, &**info),
        DieselError::DatabaseError(DatabaseErrorKind::Unknown, info) => {
            [mysql::LOST, mysql::LOST_NOW, mysql::CANCELED, mysql::DURING_COMMIT, postgres::CANCELED, postgres::ENDED]
                .iter()
                .any(|messages| is(messages, &**info))
        }
        DieselError::RollbackErrorOnCommit { commit_error, .. } => may_be_committed(commit_error),
        _ => false,
    }
}

/// Returns whether a text is the message of a deadlock or a serialization failure. For an error of which only the text is visible.
///
/// A procedure that raises such a message is retried a few times, as on MySQL and MariaDB. Not to retry a transaction that has
/// lost a conflict would be worse.
pub(super) fn is_text_of_a_lost_conflict(text: &str) -> bool {
    let lists = [postgres::DEADLOCK, postgres::SERIALIZATION, mysql::DEADLOCK, mysql::CHANGED];
    lists.iter().any(|messages| named(messages, text).is_some())
}

/// Returns whether the text ends with the message of a wait for a lock that took too long.
///
/// The errors of Diesel's migrations hide the error of the server, and show its text at the end of their own.
#[allow(dead_code, reason = "of one feature only")]
pub(crate) fn ends_with_a_lock_timeout(text: &str) -> bool {
    let messages = postgres::LOCK_TIMEOUT.iter().chain(mysql::LOCK_TIMEOUT);
    messages.into_iter().any(|message| text.ends_with(message))
}

/// Returns whether the message is one of MySQL, MariaDB or SQLite with which the server has undone the statement and nothing else.
pub(super) fn is_of_the_statement(error: &DieselError) -> bool {
    let DieselError::DatabaseError(_, info) = error else { return false };
    mysql::OF_THE_STATEMENT
        .iter()
        .chain([&sqlite::BUSY, &sqlite::SHARED, &sqlite::NO_TABLE])
        .any(|messages| is(messages, &**info))
}

/// Returns whether SQLite reports that the database is busy.
#[allow(dead_code, reason = "of one backend only")]
pub(super) fn is_busy(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(_, info) if is(sqlite::BUSY, &**info))
        || is_busy_in_a_shared_cache(error)
}

/// Returns whether SQLite reports that a connection which shares the cache of this one is in its way.
#[allow(dead_code, reason = "of one backend only")]
pub(super) fn is_busy_in_a_shared_cache(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(_, info) if is(sqlite::SHARED, &**info))
}

/// Returns whether SQLite refuses a `COMMIT` because the transaction is over.
#[allow(dead_code, reason = "of one backend only")]
pub(super) fn is_over(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(_, info) if is(sqlite::OVER, &**info))
}

/// Returns whether the message is that of a lock timeout of MySQL and MariaDB.
#[allow(dead_code, reason = "of one backend only")]
pub(super) fn is_of_a_wait(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(_, info) if is(mysql::LOCK_TIMEOUT, &**info))
}

fn is_circle(info: &Info) -> bool {
    is(postgres::DEADLOCK, info) && info.details().is_some_and(reports_a_circle)
}

/// Returns whether the error refuses `TABLESAMPLE` on something that is no table.
///
/// That error is raised while the statement is parsed, and has a position in its text. An error that a function raises has none.
fn is_sample(info: &Info) -> bool {
    info.statement_position().is_some() && info.message().contains(postgres::SAMPLE)
}

fn first_of(info: &Info, classes: &[(&[&str], Class)]) -> Option<Class> {
    classes.iter().find(|(messages, _)| is(messages, info)).map(|(_, class)| *class)
}

/// Returns whether the detail of a deadlock lists a circle of processes.
///
/// It has one line for each process, in any language: "Process 7 waits for ShareLock on transaction 90; blocked by process 8." Each
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

/// Returns the name in a text that equals one of the messages; an empty one if the message has no name.
///
/// The whole text is compared: a part of it would also match the message inside of a value, as in "Duplicate entry '..'".
fn named<'t>(messages: &[&str], text: &'t str) -> Option<&'t str> {
    messages.iter().find_map(|message| match message.split_once("%s") {
        Some((before, after)) => text.strip_prefix(before)?.strip_suffix(after).filter(|name| !name.is_empty()),
        None => (text == *message).then_some(""),
    })
}

#[cfg(test)]
mod tests;
