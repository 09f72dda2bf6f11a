//! The statement that finds rows by keys that no row has in Rust: "ada" is the key of the row "Ada" if the column ignores case.

use diesel::{
    deserialize,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    row::Row,
    sql_types::BigInt,
    sqlite::Sqlite,
};

use super::fragments::key_value;
use crate::{
    backend::RowSink,
    diesel_internals::RowRef,
    sql::{Keys, ModelRows, ModelText, RowId, helper_name, key_helper},
};

const UNKNOWN: &str = helper_name!("lockset_unknown");

/// Reads the rows that have one of these keys, each with the position of the key in the list.
///
/// ```sql
/// WITH unknown (k0, k1) AS (VALUES (?, 0), (?, 1))
/// SELECT cols, unknown.k1 FROM unknown CROSS JOIN t ON t.id = unknown.k0
/// ```
pub(super) struct SameRows<'q> {
    pub(super) text: &'q dyn ModelText<Sqlite>,
    pub(super) keys: &'q dyn Keys<Sqlite>,
}

impl QueryFragment<Sqlite> for SameRows<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        // The list is not filled up, so its text is not one of few.
        pass.unsafe_to_cache_prepared();
        let width = self.text.key_width();
        let name = |pass: &mut AstPass<'_, 'b, Sqlite>, column| {
            pass.push_sql(UNKNOWN);
            pass.push_sql(".");
            key_helper(pass, column);
        };
        pass.push_sql("WITH ");
        pass.push_sql(UNKNOWN);
        for column in 0..=width {
            pass.push_sql(if column == 0 { " (" } else { ", " });
            key_helper(&mut pass, column);
        }
        pass.push_sql(") AS (");
        self.keys.walk_numbered(0, pass.reborrow())?;
        pass.push_sql(") SELECT ");
        self.text.walk_columns(pass.reborrow())?;
        pass.push_sql(", ");
        name(&mut pass, width);
        pass.push_sql(" FROM ");
        pass.push_sql(UNKNOWN);
        pass.push_sql(" CROSS JOIN ");
        self.text.walk_table(pass.reborrow())?;
        pass.push_sql(" ON ");
        key_value(&mut pass, self.text)?;
        pass.push_sql(if width > 1 { " = (" } else { " = " });
        for column in 0..width {
            pass.push_sql(if column == 0 { "" } else { ", " });
            name(&mut pass, column);
        }
        pass.push_sql(if width > 1 { ")" } else { "" });
        Ok(())
    }
}

/// Reads pairs of a position in the list and the row that has this key.
pub(super) struct SameReader<'e> {
    pub(super) rows: &'e mut dyn ModelRows<Sqlite>,
    pub(super) width: usize,
    pub(super) found: &'e mut Vec<(usize, RowId)>,
}

impl RowSink<Sqlite> for SameReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Sqlite>) -> deserialize::Result<()> {
        let number = self.rows.number(&row.window(0..self.width))?;
        let place = row.get_value::<BigInt, i64, _>(self.width)?;
        self.found.push((usize::try_from(place)?, number));
        Ok(())
    }
}
