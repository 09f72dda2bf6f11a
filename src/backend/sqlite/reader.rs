//! The row sink of the statements that read rows of a model.

use diesel::{deserialize, sqlite::Sqlite};

use crate::{
    backend::RowSink,
    diesel_internals::RowRef,
    sql::{ModelRows, RowId},
};

/// Keeps each row, and lists its number.
pub(super) struct RowReader<'e> {
    pub(super) rows: &'e mut dyn ModelRows<Sqlite>,
    pub(super) width: usize,
    pub(super) found: &'e mut Vec<RowId>,
}

impl RowSink<Sqlite> for RowReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Sqlite>) -> deserialize::Result<()> {
        self.found.push(self.rows.read(&row.window(0..self.width))?);
        Ok(())
    }
}
