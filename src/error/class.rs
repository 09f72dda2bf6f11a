//! The retry class of an error, which is found anywhere in a chain of sources.
//!
//! `#[error(transparent)]`, `Arc` and `std::io::Error` hide the error that they hold: they return its source as their own. So a
//! [`LockError`] that has a class also has a source that names the class, and the class is found beneath any such wrapper.
//!
//! A Diesel error has no such source. If it is in the chain itself, its kind and text give the class. If a wrapper hides it, only its
//! text does, which the wrapper shows as its own.

use std::{error::Error, fmt, ops::Deref};

use diesel::result::Error as DieselError;

use super::{LockError, classify};

/// The class by which a transaction decides about a retry, of any error: one of the application that hides a [`LockError`], a boxed one, one
/// of Diesel's own statements.
///
/// It is also the source of a [`LockError`] without an error of the server.
///
/// ```
/// use diesel::result::{DatabaseErrorKind, Error};
/// use diesel_lockset::RetryClass;
///
/// let conflict = Error::DatabaseError(
///     DatabaseErrorKind::SerializationFailure,
///     Box::new("could not serialize access".to_owned()),
/// );
/// let hidden: Box<dyn std::error::Error + Send + Sync> = Box::new(conflict);
/// assert_eq!(RetryClass::of(&*hidden), Some(RetryClass::Retryable));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryClass {
    /// The transaction lost against another one: running all of it again can succeed.
    Retryable,
    /// Another session holds the lock, and the call was not to wait.
    Contended,
    /// Another session holds the lock, and the time of the call is up.
    TimedOut,
    /// The work may be committed, so it is never retried, not even on request.
    CommitUnknown,
}

impl RetryClass {
    /// Returns the class of the first error in the chain that decides it; `None` if a retry does not help against that error, or if no
    /// error decides it.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(class) = error.downcast_ref::<RetryClass>() {
                return Some(*class);
            }
            if let Some(Refusal { class, .. }) = error.downcast_ref() {
                return Some(*class);
            }
            if let Some(Classed { class, .. }) = error.downcast_ref() {
                return Some(*class);
            }
            next = match (error.downcast_ref(), error.downcast_ref()) {
                // The last error of an inner transaction decides like an error of its own.
                (Some(LockError::RetriesExhausted { source, .. }), _) => Some(&**source),
                (Some(LockError::Query(error)), _) if !matches!(error, DieselError::DatabaseError(..)) => Some(error),
                (Some(error), _) => return error.class(),
                (_, Some(DieselError::DatabaseError(..))) => {
                    let retryable = error.downcast_ref().is_some_and(classify::is_retryable);
                    return retryable.then_some(Self::Retryable);
                }
                (_, Some(DieselError::RollbackErrorOnCommit { commit_error, .. })) => Some(&**commit_error),
                // Diesel does not return the inner error as a source.
                (
                    _,
                    Some(
                        DieselError::QueryBuilderError(inner)
                        | DieselError::SerializationError(inner)
                        | DieselError::DeserializationError(inner),
                    ),
                ) => Some(&**inner),
                _ => match error.source() {
                    None => return classify::is_text_of_a_lost_conflict(&error.to_string()).then_some(Self::Retryable),
                    source => source,
                },
            };
        }
        None
    }
}

impl fmt::Display for RetryClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RetryClass::Retryable => "a conflict with another transaction",
            RetryClass::Contended => "the lock could not be had at once",
            RetryClass::TimedOut => "the lock could not be had in time",
            RetryClass::CommitUnknown => "the server's answer was lost",
        })
    }
}

impl Error for RetryClass {}

/// The error of a statement that did not get its lock, or of a commit whose outcome is unknown, together with its class.
///
/// It is the source of [`LockError::Contended`], [`LockError::TimedOut`] and [`LockError::CommitUnknown`]. It dereferences to Diesel's
/// error, which is also its source.
#[derive(Debug)]
pub struct Refusal {
    class: RetryClass,
    error: DieselError,
}

impl Refusal {
    pub(crate) fn contended(error: DieselError) -> Self {
        Refusal { class: RetryClass::Contended, error }
    }

    pub(crate) fn timed_out(error: DieselError) -> Self {
        Refusal { class: RetryClass::TimedOut, error }
    }

    pub(crate) fn commit_unknown(error: DieselError) -> Self {
        Refusal { class: RetryClass::CommitUnknown, error }
    }

    /// Returns Diesel's error.
    #[must_use]
    pub fn into_inner(self) -> DieselError {
        self.error
    }
}

impl Deref for Refusal {
    type Target = DieselError;

    fn deref(&self) -> &DieselError {
        &self.error
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.class.fmt(f)
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// A boxed error together with its class, for an error type whose class is not found through the box.
#[derive(Debug)]
pub(crate) struct Classed {
    class: RetryClass,
    error: Box<dyn Error + Send + Sync>,
}

impl Classed {
    /// Boxes an error so that its class is still found.
    pub(crate) fn boxed<E>(error: E) -> Box<dyn Error + Send + Sync>
    where
        E: Deref<Target = dyn Error + Send + Sync> + Into<Box<dyn Error + Send + Sync>>,
    {
        let class = RetryClass::of(&*error);
        let error = error.into();
        match class {
            Some(class) if RetryClass::of(&*error) != Some(class) => Box::new(Classed { class, error }),
            _ => error,
        }
    }
}

impl fmt::Display for Classed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Classed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

impl LockError {
    /// Returns the class of this error, without its sources.
    fn class(&self) -> Option<RetryClass> {
        match self {
            LockError::Deadlock { .. } | LockError::Serialization { .. } | LockError::LimitedRowsChanged { .. } => {
                Some(RetryClass::Retryable)
            }
            LockError::Contended { .. } => Some(RetryClass::Contended),
            LockError::TimedOut { .. } => Some(RetryClass::TimedOut),
            LockError::CommitUnknown(_) => Some(RetryClass::CommitUnknown),
            _ => None,
        }
    }
}

/// The source is the server's error, or an error that only names the class, if there is no server's error or if that does not show the
/// class. An error whose text is part of this one's is not the source.
impl Error for LockError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            LockError::Contended { source: Some(refusal), .. } | LockError::TimedOut { source: Some(refusal), .. } => {
                Some(refusal)
            }
            LockError::CommitUnknown(refusal) => Some(refusal),
            LockError::Contended { .. } => Some(&RetryClass::Contended),
            LockError::TimedOut { .. } => Some(&RetryClass::TimedOut),
            LockError::Deadlock { source, .. } | LockError::Serialization { source, .. }
                if classify::is_retryable(source) =>
            {
                Some(source)
            }
            LockError::Deadlock { .. } | LockError::Serialization { .. } | LockError::LimitedRowsChanged { .. } => {
                Some(&RetryClass::Retryable)
            }
            LockError::ReadOnly(source) | LockError::ConnectionLost(source) | LockError::Canceled { source, .. } => {
                Some(source)
            }
            LockError::NotLockable { source: Some(source), .. } => Some(&**source),
            LockError::RetriesExhausted { source, .. } => Some(&**source),
            // The error itself is no source: its text is part of this one's.
            LockError::Query(error) => error.source(),
            LockError::NotInTransaction
            | LockError::Missing { .. }
            | LockError::NotInSet { .. }
            | LockError::AlreadyTaken { .. }
            | LockError::Stale { .. }
            | LockError::NotLockable { .. }
            | LockError::Unsupported { .. }
            | LockError::OutOfOrder { .. }
            | LockError::AdvisoryLockLost { .. }
            | LockError::Aborted => None,
        }
    }
}
