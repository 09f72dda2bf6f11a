//! The result of locking a set: its rows, by model.

use std::{
    any::{Any, TypeId},
    fmt,
};

use crate::{
    error::{LockError, Result, RowName},
    key::{IntoKey, RowKey},
    lockable::Lockable,
    sql::{ErasedRows, FoundRows},
};

/// The locked rows of a [`LockSet`](crate::LockSet): fresh, by model, in the order of their primary key.
///
/// They are plain values. The locks belong to the transaction, not to this value: dropping it releases nothing, and keeping it
/// beyond the transaction keeps nothing locked.
///
/// Look a row up by the model type that it was requested with. Two models of one table share the locks, but each has its own
/// rows here.
///
/// # Example: borrowed and owned
///
/// ```
/// # include!("../doctest_setup.rs");
/// # fn main() { doctest(|conn| {
/// let mut locked = LockSet::new().ids::<Account>([2, 1]).lock(conn)?;
///
/// assert_eq!(locked.id::<Account>(2)?.owner, "Bob");
/// let accounts: &[Account] = locked.rows();
/// assert_eq!((accounts[0].id, accounts[1].id), (1, 2));
///
/// let bob: Account = locked.take_id::<Account>(2)?;
/// let rest: Vec<Account> = locked.take_rows::<Account>();
/// # assert_eq!((bob.id, rest.len()), (2, 1));
/// # Ok(()) }) }
/// ```
pub struct Locked {
    /// A list, since a set has few models.
    models: Vec<(TypeId, Box<dyn Any + Send>)>,
    missing: Vec<RowName>,
    skipped: Vec<RowName>,
}

impl Locked {
    pub(crate) fn new(finished: Vec<ErasedRows>, allow_missing: bool) -> Result<Self> {
        let mut locked =
            Locked { models: Vec::with_capacity(finished.len()), missing: Vec::new(), skipped: Vec::new() };
        for ErasedRows { model, rows, missing, skipped, .. } in finished {
            locked.skipped.extend(skipped);
            locked.missing.extend(missing);
            locked.models.push((model, rows));
        }
        if allow_missing || locked.missing.is_empty() {
            Ok(locked)
        } else {
            Err(LockError::Missing { rows: locked.missing })
        }
    }

    /// Returns the fresh row of an instance that is part of the set.
    ///
    /// # Errors
    ///
    /// [`LockError::Missing`] if the row does not exist (only with
    /// [`allow_missing`](crate::LockSet::allow_missing)); [`LockError::Contended`] if it was skipped;
    /// [`LockError::NotInSet`] if it was never part of the set. The transaction is not touched.
    pub fn row<T: Lockable>(&self, row: &T) -> Result<&T> {
        self.id::<T>(row.lock_key())
    }

    /// Returns the row with this primary key.
    ///
    /// # Errors
    ///
    /// As [`row`](Self::row).
    pub fn id<T: Lockable>(&self, id: impl IntoKey<T::Key>) -> Result<&T> {
        let id = id.into_key();
        let row = self.model::<T>().and_then(|found| found.rows().get(found.position(&id)?));
        row.ok_or_else(|| self.absent::<T>(id))
    }

    /// Returns all rows of one model, in the order of the primary key; an empty slice if there are none.
    #[must_use]
    pub fn rows<T: Lockable>(&self) -> &[T] {
        self.model::<T>().map_or(&[], |found| found.rows())
    }

    /// Takes the fresh row of an instance out, owned. Costs time in proportion to the rows of the model: to take many,
    /// use [`take_rows`](Self::take_rows).
    ///
    /// # Errors
    ///
    /// As [`row`](Self::row); [`LockError::AlreadyTaken`] if it was taken out before, and [`LockError::NotInSet`] if all rows of the model were.
    pub fn take_row<T: Lockable>(&mut self, row: &T) -> Result<T> {
        self.take_id::<T>(row.lock_key())
    }

    /// Takes the row with this primary key out, owned.
    ///
    /// # Errors
    ///
    /// As [`take_row`](Self::take_row).
    pub fn take_id<T: Lockable>(&mut self, id: impl IntoKey<T::Key>) -> Result<T> {
        let id = id.into_key();
        match self.model_mut::<T>().and_then(|found| found.remove(&id)) {
            Some(row) => Ok(row),
            None => Err(self.absent::<T>(id)),
        }
    }

    /// Takes all rows of one model out, owned, in the order of the primary key.
    #[must_use]
    pub fn take_rows<T: Lockable>(&mut self) -> Vec<T> {
        self.model_mut::<T>().map(FoundRows::take).unwrap_or_default()
    }

    /// Takes the row out of a set of one row.
    pub(crate) fn take_only<T: Lockable>(&mut self) -> Result<T> {
        let row = self.model_mut::<T>().and_then(|found| found.take().pop());
        row.ok_or_else(|| LockError::Missing { rows: self.missing.clone() })
    }

    /// Returns the names of the rows that were requested by instance or key and do not exist, by table, then in the order of adding.
    ///
    /// Empty unless the set was built with [`allow_missing`](crate::LockSet::allow_missing).
    #[must_use]
    pub fn missing(&self) -> &[RowName] {
        &self.missing
    }

    /// Returns the names of the rows that were requested by instance or key and that another session holds, by table, then in the order
    /// of the key.
    ///
    /// Empty unless the set was built with [`skip_locked`](crate::LockSet::skip_locked).
    #[must_use]
    pub fn skipped(&self) -> &[RowName] {
        &self.skipped
    }

    fn model<T: Lockable>(&self) -> Option<&FoundRows<T>> {
        self.models.iter().find(|(model, _)| *model == TypeId::of::<T>())?.1.downcast_ref()
    }

    fn model_mut<T: Lockable>(&mut self) -> Option<&mut FoundRows<T>> {
        self.models.iter_mut().find(|(model, _)| *model == TypeId::of::<T>())?.1.downcast_mut()
    }

    fn absent<T: Lockable>(&self, id: T::Key) -> LockError {
        let taken = self.model::<T>().is_some_and(|found| found.was_taken(&id));
        let id = RowKey::new(id);
        let same = |row: &&RowName| row.type_name() == T::TYPE_NAME && *row.key() == id;
        if let Some(row) = self.missing.iter().find(same) {
            LockError::Missing { rows: vec![row.clone()] }
        } else if let Some(row) = self.skipped.iter().find(same) {
            LockError::Contended { rows: vec![row.clone()], holders: Vec::new(), source: None }
        } else if taken {
            LockError::AlreadyTaken { type_name: T::TYPE_NAME, key: id }
        } else {
            LockError::NotInSet { type_name: T::TYPE_NAME, key: id }
        }
    }
}

impl fmt::Debug for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Locked { models, missing, skipped } = self;
        let mut out = f.debug_struct("Locked");
        out.field("models", &models.len()).field("missing", missing).field("skipped", skipped).finish()
    }
}
