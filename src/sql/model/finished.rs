//! The rows that a set returns for one model, with their type erased.

use std::any::{Any, TypeId};

use super::found_rows::FoundRows;
use crate::{error::RowName, key::RowKey, lockable::Lockable, sql::TableName};

/// The rows that a set returns for one model, with their type erased.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct ErasedRows {
    pub(crate) model: TypeId,
    /// A boxed `FoundRows<T>`.
    pub(crate) rows: Box<dyn Any + Send>,
    pub(crate) missing: Vec<RowName>,
    pub(crate) skipped: Vec<RowName>,
    table: TableName,
    names: fn(&dyn Any, &TableName) -> Vec<RowName>,
}

impl ErasedRows {
    pub(super) fn new<T: Lockable>(rows: FoundRows<T>, table: &TableName) -> Self {
        ErasedRows {
            model: TypeId::of::<T>(),
            missing: names::<T>(table, rows.missing()),
            skipped: names::<T>(table, rows.skipped()),
            table: table.clone(),
            names: |rows, table| {
                let rows = rows.downcast_ref::<FoundRows<T>>().map(FoundRows::rows).unwrap_or_default();
                rows.iter().map(|row| name::<T>(table, row.lock_key())).collect()
            },
            rows: Box::new(rows),
        }
    }

    /// Returns the names of the rows, in the order of the key. They are only made here, on request.
    pub(crate) fn names(&self) -> Vec<RowName> {
        (self.names)(&*self.rows, &self.table)
    }
}

pub(super) fn names<'k, T: Lockable>(table: &TableName, keys: impl IntoIterator<Item = &'k T::Key>) -> Vec<RowName> {
    keys.into_iter().map(|key| name::<T>(table, key.clone())).collect()
}

fn name<T: Lockable>(table: &TableName, key: T::Key) -> RowName {
    RowName::new(T::TYPE_NAME, table.quoted(), RowKey::new(key))
}
