//! The name of a row: model, table and key.

use std::{borrow::Cow, fmt};

use crate::{key::RowKey, lockable::Lockable};

/// The name of a row: the type name of its model, and its key. It is displayed as `Account 42` or `Seat ("A", 1)`.
/// [`key_of`](Self::key_of) has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowName {
    type_name: Cow<'static, str>,
    table: String,
    key: RowKey,
}

impl RowName {
    pub(crate) fn new(type_name: impl Into<Cow<'static, str>>, table: &str, key: RowKey) -> Self {
        RowName { type_name: type_name.into(), table: table.to_owned(), key }
    }

    /// Returns the name of the Rust type; for a row of a single query, the name of the table; for an advisory lock, `advisory lock`.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// Returns the table as it is written in SQL: quoted, and with its schema if the model has one. Empty for an advisory lock.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Returns the primary key, if the row is one of this model.
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() { doctest(|conn| {
    /// let set = LockSet::new().id::<Order>(1).id::<Account>(77);
    /// match set.lock(conn) {
    ///     Err(LockError::Missing { rows }) => {
    ///         assert_eq!(rows[0].key_of::<Account>(), Some(&77));
    ///     }
    ///     other => panic!("{other:?}"),
    /// }
    /// # Ok(()) }) }
    /// ```
    #[must_use]
    pub fn key_of<T: Lockable>(&self) -> Option<&T::Key> {
        if self.type_name == T::TYPE_NAME { self.key.get() } else { None }
    }

    /// Returns the primary key.
    #[must_use]
    pub fn key(&self) -> &RowKey {
        &self.key
    }
}

impl fmt::Display for RowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.type_name, self.key)
    }
}
