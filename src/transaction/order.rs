//! The order over several lock sets of one transaction, which no single set can keep.

use std::cmp::Ordering;

use crate::error::RowName;

/// How far the sets of a transaction have got.
#[derive(Debug, Default)]
pub(crate) struct OrderWatch {
    furthest: Option<RowName>,
}

/// A set that went back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StepBack {
    pub(crate) after: String,
    pub(crate) back_to: String,
}

impl OrderWatch {
    /// A set is about to lock rows of this table.
    pub(crate) fn enter(&self, table: &str) -> Option<StepBack> {
        let furthest = self.furthest.as_ref().filter(|furthest| furthest.table() > table)?;
        Some(StepBack { after: format!("{furthest} of {}", furthest.table()), back_to: table.to_owned() })
    }

    /// A set has locked rows from `first` to `last` of one table.
    pub(crate) fn locked(&mut self, first: &RowName, last: &RowName) -> Option<StepBack> {
        let back = self.furthest.as_ref().filter(|furthest| {
            furthest.table() == first.table() && first.key().compare(furthest.key()) == Some(Ordering::Less)
        });
        let back = back.map(|furthest| StepBack { after: furthest.to_string(), back_to: first.to_string() });
        let further = self.furthest.as_ref().is_none_or(|furthest| {
            last.table() > furthest.table()
                || last.table() == furthest.table() && last.key().compare(furthest.key()) == Some(Ordering::Greater)
        });
        if further {
            self.furthest = Some(last.clone());
        }
        back
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::RowKey;

    fn row(table: &str, id: i64) -> RowName {
        RowName::new("Row", table, RowKey::new(id))
    }

    #[test]
    fn going_on_is_fine_and_going_back_is_not() {
        let mut watch = OrderWatch::default();
        assert_eq!(watch.enter("b"), None);
        assert_eq!(watch.locked(&row("b", 3), &row("b", 7)), None);
        assert_eq!(watch.enter("c"), None);
        assert_eq!(watch.locked(&row("c", 1), &row("c", 2)), None);
        assert!(watch.enter("b").is_some());
        let back = watch.locked(&row("c", 1), &row("c", 9)).unwrap();
        assert_eq!((back.after.as_str(), back.back_to.as_str()), ("Row 2", "Row 1"));
        assert_eq!(watch.locked(&row("c", 9), &row("c", 9)), None);
    }
}
