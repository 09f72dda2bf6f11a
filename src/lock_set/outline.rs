//! The content of a lock set, in numbers.

use diesel::result::QueryResult;

use super::LockSet;
use crate::{backend::LockingBackend, mode::Strength, sql::TableName};

/// The part of a set that belongs to one model, without its keys.
pub(crate) struct Outline {
    pub(crate) model: &'static str,
    #[allow(dead_code, reason = "read by the feature `tracing`")]
    pub(crate) table: QueryResult<TableName>,
    pub(crate) keys: usize,
    pub(crate) queries: usize,
    pub(crate) strength: Strength,
}

impl<DB: LockingBackend, W> LockSet<'_, DB, W> {
    /// Returns the outlines of the models, in the order in which they were added.
    pub(crate) fn outline(&self) -> impl Iterator<Item = Outline> + '_ {
        self.parts.iter().map(|(_, part)| Outline {
            model: part.model.text().model_name(),
            table: part.model.text().table_name(),
            keys: part.model.rows().asked(),
            queries: part.queries.len(),
            strength: part.strength,
        })
    }
}
