//! Watches the locking order over several lock sets of one transaction, which no single set can keep.

use std::{cmp::Ordering, collections::HashSet};

use crate::error::RowName;

/// The largest number of locked rows that is remembered row by row.
const MOST_REMEMBERED: usize = 10_000;

/// The furthest row that the sets of a transaction have locked, and the rows that they hold. To lock a held row again never waits.
#[derive(Debug, Default)]
pub(crate) struct OrderWatch {
    furthest: Option<RowName>,
    held: HashSet<(String, String)>,
}

/// A report of a set that went back in the order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StepBack {
    pub(crate) after: String,
    pub(crate) back_to: String,
    #[allow(dead_code, reason = "read by the feature `tracing`")]
    pub(crate) after_table: String,
    #[allow(dead_code, reason = "read by the feature `tracing`")]
    pub(crate) back_to_table: String,
}

impl OrderWatch {
    /// Notes that a set is about to lock rows of this table, `asked` among them.
    ///
    /// Returns a step back if an earlier set has locked rows of a later table, unless every row in `asked` is held already.
    pub(crate) fn enter(&self, table: &str, asked: impl FnOnce() -> Vec<RowName>) -> Option<StepBack> {
        let furthest = self.furthest.as_ref().filter(|furthest| furthest.table() > table)?;
        let asked = asked();
        if !asked.is_empty() && asked.iter().all(|row| self.holds(row)) {
            return None;
        }
        Some(StepBack {
            after: format!("{furthest} of {}", furthest.table()),
            back_to: table.to_owned(),
            after_table: furthest.table().to_owned(),
            back_to_table: table.to_owned(),
        })
    }

    /// Notes that a set has locked these rows of one table, in the order of their keys.
    ///
    /// Returns a step back if the first row that was not held before precedes the furthest row of the same table.
    pub(crate) fn locked(&mut self, rows: &[RowName]) -> Option<StepBack> {
        let back = self.furthest.as_ref().zip(rows.iter().find(|row| !self.holds(row))).filter(|(furthest, first)| {
            furthest.table() == first.table() && first.key().compare(furthest.key()) == Some(Ordering::Less)
        });
        let back = back.map(|(furthest, first)| StepBack {
            after: furthest.to_string(),
            back_to: first.to_string(),
            after_table: furthest.table().to_owned(),
            back_to_table: first.table().to_owned(),
        });
        let further = rows.last().filter(|last| {
            self.furthest.as_ref().is_none_or(|furthest| {
                last.table() > furthest.table()
                    || last.table() == furthest.table() && last.key().compare(furthest.key()) == Some(Ordering::Greater)
            })
        });
        if further.is_some() {
            self.furthest = further.cloned();
        }
        if self.held.len() + rows.len() <= MOST_REMEMBERED {
            self.held.extend(rows.iter().map(name));
        }
        back
    }

    fn holds(&self, row: &RowName) -> bool {
        self.held.contains(&name(row))
    }
}

fn name(row: &RowName) -> (String, String) {
    (row.table().to_owned(), row.key().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::RowKey;

    fn rows<const N: usize>(table: &str, ids: [i64; N]) -> Vec<RowName> {
        ids.into_iter().map(|id| RowName::new("Row", table, RowKey::new(id))).collect()
    }

    #[test]
    fn going_on_is_fine_and_going_back_is_not() {
        let mut watch = OrderWatch::default();
        assert_eq!(watch.enter("b", Vec::new), None);
        assert_eq!(watch.locked(&rows("b", [3, 7])), None);
        assert_eq!(watch.enter("c", Vec::new), None);
        assert_eq!(watch.locked(&rows("c", [1, 2])), None);
        assert!(watch.enter("b", Vec::new).is_some());
        let back = watch.locked(&rows("c", [1, 0, 9]));
        assert_eq!(back.map(|back| back.back_to).as_deref(), Some("Row 0"));
        assert_eq!(watch.locked(&rows("c", [10])), None);
    }

    #[test]
    fn what_is_held_can_be_locked_again() {
        let mut watch = OrderWatch::default();
        assert_eq!(watch.locked(&rows("b", [1, 3])), None);
        assert_eq!(watch.locked(&rows("b", [1])), None);
        assert_eq!(watch.locked(&rows("c", [1])), None);
        assert_eq!(watch.enter("b", || rows("b", [3, 1])), None);
        assert!(watch.enter("b", || rows("b", [1, 2])).is_some());
        assert_eq!(watch.locked(&rows("b", [1, 3])), None);
    }
}
