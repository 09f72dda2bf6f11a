//! A set of rows, stored by row number.

use super::RowId;

/// A set of rows of one model. Row numbers are dense, so the set is a vector of flags and needs no hash.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowSet(Vec<bool>);

impl RowSet {
    /// Adds a row, and returns whether it was not in the set before.
    pub(crate) fn insert(&mut self, row: RowId) -> bool {
        let place = row.0 as usize;
        if self.0.len() <= place {
            self.0.resize(place + 1, false);
        }
        !std::mem::replace(&mut self.0[place], true)
    }

    pub(crate) fn contains(&self, row: RowId) -> bool {
        self.0.get(row.0 as usize).copied().unwrap_or(false)
    }

    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the rows in the order of their numbers.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = RowId> {
        (0..).zip(&self.0).filter(|(_, is_in)| **is_in).map(|(number, _)| RowId(number))
    }
}

impl FromIterator<RowId> for RowSet {
    fn from_iter<I: IntoIterator<Item = RowId>>(rows: I) -> Self {
        let mut set = RowSet::default();
        rows.into_iter().for_each(|row| {
            set.insert(row);
        });
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_in_a_set_once() {
        let mut set = RowSet::default();
        assert_eq!([3, 1, 3].map(|row| set.insert(RowId(row))), [true, true, false]);
        assert_eq!([0, 1, 2, 3, 9].map(|row| set.contains(RowId(row))), [false, true, false, true, false]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [RowId(1), RowId(3)]);
        set.clear();
        assert_eq!(set.iter().count(), 0);
    }
}
