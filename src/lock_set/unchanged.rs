//! Rows that must be as their instances say.

use std::fmt::Debug;

use super::{LockSet, Locked};
use crate::{
    backend::LockingBackend,
    error::{LockError, Result, RowName, StaleRow},
    key::RowKey,
    sql::LockTarget,
};

/// Compares an instance with its row under the lock. Returns the difference, if there is one.
type Check = Box<dyn FnOnce(&Locked) -> Result<Option<StaleRow>> + Send>;

/// The checks of a set.
#[derive(Default)]
pub(crate) struct Unchanged(Vec<Check>);

impl<DB: LockingBackend, W> LockSet<'_, DB, W> {
    /// Adds the row of an instance, as [`row`](Self::row) does, and fails if it has changed since the instance was loaded: the error is
    /// [`LockError::Stale`](crate::LockError::Stale), which names every such row and its fields.
    ///
    /// This is for work that was decided on by the loaded values, such as a form that somebody has filled in: it must not be applied to
    /// other values than those that were shown. To work with the current values, use the fresh row that the set returns instead.
    ///
    /// The values are compared by `PartialEq`, after the lock is there, and without a statement more. All rows of the set are locked by
    /// then, until the transaction ends. A row that is skipped, or is missing from a set that allows that, is not compared.
    ///
    /// # Example: nobody has changed the account since it was shown
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() { doctest(|conn| {
    /// let shown: Account = accounts::table.find(1).first(conn)?;
    /// // .. meanwhile ..
    /// diesel::update(accounts::table.find(1))
    ///     .set(accounts::balance.eq(70))
    ///     .execute(conn)?;
    ///
    /// let error = LockSet::new().unchanged(&shown).lock(conn).unwrap_err();
    /// let changed = "Account 1 (balance: 100 is now 70) has changed";
    /// assert!(error.to_string().starts_with(changed));
    /// # Ok(()) }) }
    /// ```
    pub fn unchanged<T: LockTarget<DB> + PartialEq + Clone + Debug>(mut self, row: &T) -> Self {
        let loaded = row.clone();
        self.unchanged.0.push(Box::new(move |locked| {
            let Ok(now) = locked.row(&loaded) else { return Ok(None) };
            if *now == loaded {
                return Ok(None);
            }
            let table = T::model().text().table_name()?;
            let row = RowName::new(T::TYPE_NAME, table.quoted(), RowKey::new(loaded.lock_key()));
            Ok(Some(StaleRow::new(row, &loaded, now)))
        }));
        self.row(row)
    }

    pub(crate) fn take_unchanged(&mut self) -> Unchanged {
        std::mem::take(&mut self.unchanged)
    }
}

impl Unchanged {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the locked rows if they are as their instances say.
    pub(crate) fn check(self, locked: Locked) -> Result<Locked> {
        let mut rows = Vec::new();
        for check in self.0 {
            rows.extend(check(&locked)?);
        }
        if rows.is_empty() { Ok(locked) } else { Err(LockError::Stale { rows }) }
    }
}
