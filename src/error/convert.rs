//! Conversions between [`LockError`] and Diesel's error.

use diesel::result::Error as DieselError;

use super::{LockError, classify};

/// Classifies the error, so that `?` on any Diesel call inside a closure that returns [`LockError`] keeps the class.
///
/// Some classes are recognizable by the message only, and a stored procedure can raise any message. They are not derived from the
/// message here: see [`LockError::of_locking_statement`]. Three classes of MySQL and MariaDB are an exception, if the text is the
/// whole message, because missing them would be worse: a deadlock, an outdated snapshot (1020), a lost connection. If a procedure raises
/// such a message (`SIGNAL`), its transaction is rolled back and, in a [`LockTransaction`](crate::LockTransaction), run again.
impl From<DieselError> for LockError {
    fn from(error: DieselError) -> Self {
        classify::any_statement(error)
    }
}

/// Converts into Diesel's error, for closures that return that: the Diesel error inside, if there is one.
///
/// All other variants are wrapped in a [`QueryBuilderError`](DieselError::QueryBuilderError), from which the conversion back into a
/// [`LockError`] restores them. So is a deadlock or serialization failure whose Diesel error alone does not show the class.
impl From<LockError> for DieselError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Deadlock { source: error, .. } | LockError::Serialization { source: error, .. }
                if classify::is_retryable(&error) =>
            {
                error
            }
            LockError::ReadOnly(error)
            | LockError::Canceled { source: error, .. }
            | LockError::ConnectionLost(error)
            | LockError::Query(error) => error,
            error => DieselError::QueryBuilderError(Box::new(error)),
        }
    }
}
