//! The name of a row: model, table and key.

use std::{borrow::Cow, fmt};

use crate::key::RowKey;

/// A row by the name of its model and its key: `Account 42`, `Seat ("A", 1)`.
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

    /// The name of the Rust type; for a row that a single query met, the name of the table.
    #[must_use]
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// The table, as SQL names it: quoted, and with its schema if the model has one.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The primary key.
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
