//! Lists of row names for error messages.

use std::fmt;

use super::RowName;

/// Displays "Account 3" or "Account 3, Account 4 and Order 7". A list of more than 20 rows is cut.
pub(super) struct Listed<'a>(pub(super) &'a [RowName]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        let Listed(rows) = *self;
        let shown = rows.len().min(SHOWN);
        for (i, row) in rows[..shown].iter().enumerate() {
            let separator = match i {
                0 => "",
                i if i + 1 == rows.len() => " and ",
                _ => ", ",
            };
            write!(f, "{separator}{row}")?;
        }
        if rows.len() > shown {
            write!(f, " and {} more", rows.len() - shown)?;
        }
        Ok(())
    }
}

/// Returns the singular form of a verb for one row, else the plural.
pub(super) fn verb(rows: &[RowName], one: &'static str, many: &'static str) -> &'static str {
    if rows.len() == 1 { one } else { many }
}
