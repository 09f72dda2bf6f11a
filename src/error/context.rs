//! The rows and the sessions that an error is about, whatever its variant.

use super::{Attempt, Holder, LockError, RowName};

impl LockError {
    /// Returns the rows that the error is about: those that are missing, stale, busy or not lockable; of a call that waited, those of the
    /// table that were requested by instance or key, of which at least one was held. Empty for every other error.
    ///
    /// It looks through [`RetriesExhausted`](Self::RetriesExhausted), as [`last`](Self::last) does.
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() {
    /// # let conn = &mut establish();
    /// let missing = conn.transaction(|conn| Account::lock_by_id(77, conn));
    /// let error = missing.unwrap_err();
    /// let keys: Vec<_> =
    ///     error.rows().iter().filter_map(|row| row.key_of::<Account>()).collect();
    /// assert_eq!(keys, [&77]);
    /// # }
    /// ```
    #[must_use]
    pub fn rows(&self) -> Vec<&RowName> {
        match self.last() {
            LockError::Missing { rows } | LockError::Contended { rows, .. } | LockError::NotLockable { rows, .. } => {
                rows.iter().collect()
            }
            LockError::Stale { rows } => rows.iter().map(|stale| &stale.row).collect(),
            error => error.attempt().map_or_else(Vec::new, |attempt| attempt.rows().iter().collect()),
        }
    }

    /// Returns the call that ended with the error, if it was one that waited.
    fn attempt(&self) -> Option<&Attempt> {
        match self {
            LockError::TimedOut { attempt, .. }
            | LockError::Deadlock { attempt, .. }
            | LockError::Serialization { attempt, .. }
            | LockError::Canceled { attempt, .. } => attempt.as_deref(),
            _ => None,
        }
    }

    /// Returns the sessions that hold the requested lock, or [perhaps](Holder::is_certain) hold it; empty unless
    /// [`name_holders`](crate::LockSet::name_holders) was set.
    ///
    /// It looks through [`RetriesExhausted`](Self::RetriesExhausted), as [`last`](Self::last) does.
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() {
    /// # let error = LockError::NotInTransaction;
    /// let certain = error.holders().iter().find(|holder| holder.is_certain());
    /// let by = certain.map_or("somebody else", |holder| holder.application());
    /// println!("{by} is editing this order");
    /// # }
    /// ```
    #[must_use]
    pub fn holders(&self) -> &[Holder] {
        match self.last() {
            LockError::Contended { holders, .. } => holders,
            error => error.attempt().map_or(&[], |attempt| attempt.holders()),
        }
    }
}
