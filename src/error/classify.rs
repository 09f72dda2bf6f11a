//! From Diesel's errors to ours. The only place that reads an error's text.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

use super::LockError;

/// Diesel maps SQLSTATE 40001 to a kind of its own and drops every other code that matters here, so a deadlock can only be
/// told by its text.
const DEADLOCK: &str = "deadlock detected";

pub(super) fn classify(error: DieselError) -> LockError {
    match error {
        DieselError::DatabaseError(kind, ref info) => match kind {
            DatabaseErrorKind::SerializationFailure => LockError::Serialization(error),
            DatabaseErrorKind::ReadOnlyTransaction => LockError::ReadOnly(error),
            DatabaseErrorKind::ClosedConnection => LockError::ConnectionLost(error),
            DatabaseErrorKind::Unknown if is_deadlock(&**info) => LockError::Deadlock(error),
            _ => LockError::Query(error),
        },
        // A failed rollback hides the error that made it necessary; that one says what to do.
        DieselError::RollbackErrorOnCommit { commit_error, .. } => classify(*commit_error),
        DieselError::QueryBuilderError(inner) => match inner.downcast::<LockError>() {
            Ok(error) => *error,
            Err(inner) => LockError::Query(DieselError::QueryBuilderError(inner)),
        },
        error => LockError::Query(error),
    }
}

/// A message that user code raised names the PL/pgSQL line it came from, a constraint its name: the server's own deadlock
/// report has neither.
fn is_deadlock(info: &(dyn DatabaseErrorInformation + Send + Sync)) -> bool {
    info.message() == DEADLOCK && info.constraint_name().is_none() && info.details().is_some()
}
