//! The context of a failed lock call: the rows, the time it took, and the sessions that held the rows.

use std::{fmt, time::Duration};

use super::{Holder, LockError, RowName, listed::Listed};

/// The part of a lock call that failed: the table or advisory lock, the requested rows, and the time that the call took.
///
/// # Example: who was in the way
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() {
/// # let (conn, other) = (&mut establish(), &mut establish());
/// # let held = AdvisoryLock::named("import orders").acquire(other).unwrap();
/// let import = AdvisoryLock::named("import orders");
/// let import = import.timeout(std::time::Duration::from_millis(20));
/// match import.hold(conn, |_| Ok::<_, LockError>(())) {
///     Err(LockError::TimedOut { attempt: Some(attempt), .. }) => {
///         assert_eq!(attempt.advisory_lock(), Some("|import orders"));
///         assert!(attempt.waited().as_millis() >= 20);
///         println!("{attempt}"); // rows and holders, too
///     }
///     other => panic!("{other:?}"),
/// }
/// # drop(held);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub(crate) table: String,
    pub(crate) advisory_lock: Option<String>,
    pub(crate) migration: Option<String>,
    pub(crate) rows: Vec<RowName>,
    pub(crate) waited: Duration,
    pub(crate) holders: Vec<Holder>,
    pub(crate) rolled_back: bool,
}

impl Attempt {
    pub(crate) fn at_advisory_lock(name: &str, waited: Duration, rolled_back: bool) -> Self {
        let (rows, holders, advisory_lock) = (Vec::new(), Vec::new(), Some(name.to_owned()));
        Attempt { table: String::new(), advisory_lock, migration: None, rows, waited, holders, rolled_back }
    }

    #[allow(dead_code, reason = "of one feature only")]
    pub(crate) fn at_migration(name: String, waited: Duration, rolled_back: bool) -> Self {
        let (rows, holders, migration) = (Vec::new(), Vec::new(), Some(name));
        Attempt { table: String::new(), advisory_lock: None, migration, rows, waited, holders, rolled_back }
    }

    /// Returns the [canonical text](crate::AdvisoryName::text) of the advisory lock that the call waited for; `None` if it waited for rows.
    #[must_use]
    pub fn advisory_lock(&self) -> Option<&str> {
        self.advisory_lock.as_deref()
    }

    /// Returns the name of the migration one of whose statements waited for a lock, of a table as a rule; `None` for every other call.
    #[must_use]
    pub fn migration(&self) -> Option<&str> {
        self.migration.as_deref()
    }

    /// Returns the table whose rows were being locked, as it is written in SQL; empty for an advisory lock and for a migration.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Returns the rows of the table that were requested by instance or key. At least one of them was held by another session,
    /// unless a query of the set chose the row that was held.
    #[must_use]
    pub fn rows(&self) -> &[RowName] {
        &self.rows
    }

    /// Returns the time since the start of the whole call.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Returns the sessions that held the rows; empty unless [`name_holders`](crate::LockSet::name_holders) was set.
    #[must_use]
    pub fn holders(&self) -> &[Holder] {
        &self.holders
    }

    /// Returns whether the call rolled itself back, so that the transaction goes on as if it had not been made. Of a migration: whether
    /// nothing of it is kept.
    #[must_use]
    pub fn rolled_back(&self) -> bool {
        self.rolled_back
    }
}

impl LockError {
    /// Adds the attempt to the errors that can end a wait; returns every other error unchanged.
    pub(crate) fn at(self, attempt: impl FnOnce() -> Attempt) -> Self {
        let attempt = || Some(Box::new(attempt()));
        match self {
            LockError::TimedOut { source, .. } => LockError::TimedOut { attempt: attempt(), source },
            LockError::Deadlock { source, .. } => LockError::Deadlock { attempt: attempt(), source },
            LockError::Canceled { source, .. } => LockError::Canceled { attempt: attempt(), source },
            LockError::Serialization { source, .. } => LockError::Serialization { attempt: attempt(), source },
            error => error,
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms waiting for ", self.waited.as_millis())?;
        match (&self.advisory_lock, &self.migration) {
            (Some(name), _) => write!(f, "the advisory lock {name:?}")?,
            (None, Some(name)) => write!(f, "a lock in the migration {name}")?,
            (None, None) => write!(f, "rows of {}", self.table)?,
        }
        if !self.rows.is_empty() {
            write!(f, " ({})", Listed(&self.rows))?;
        }
        Holder::list(&self.holders, f)
    }
}
