//! Sets of rows.

use crate::sql::RowId;

/// A set of rows.
#[derive(Debug, Default)]
pub(super) struct Marks(Vec<bool>);

impl Marks {
    pub(super) fn of<'r>(lists: impl IntoIterator<Item = &'r Vec<RowId>>) -> Self {
        let mut marks = Marks::default();
        for row in lists.into_iter().flatten() {
            marks.insert(*row);
        }
        marks
    }

    /// Whether it was not in it.
    pub(super) fn insert(&mut self, row: RowId) -> bool {
        let number = row.0 as usize;
        if self.0.len() <= number {
            self.0.resize(number + 1, false);
        }
        !std::mem::replace(&mut self.0[number], true)
    }

    pub(super) fn has(&self, row: RowId) -> bool {
        self.0.get(row.0 as usize).is_some_and(|mark| *mark)
    }
}
