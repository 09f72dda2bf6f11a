//! The statement that finds the rows of keys that Rust cannot match with the rows that came back.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::{fragments::key_names, picked_cte::is_key};
use crate::sql::{Keys, ModelText, helper_name};

/// Joins a list of keys with the table.
///
/// ```sql
/// SELECT cols, i
/// FROM t
///   INNER JOIN (SELECT *, row_number() OVER () AS i
///       FROM (SELECT unnest($unknown)) AS unknown (k0)) AS listed
///     ON t.id = listed.k0
/// ORDER BY t.id
/// ```
///
/// The server compares: its collation may treat different letters as equal, and its times are coarser than Rust's.
pub(super) struct SameRows<'q> {
    pub(super) text: &'q dyn ModelText<Pg>,
    pub(super) unknown: &'q dyn Keys<Pg>,
}

impl QueryFragment<Pg> for SameRows<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let text = self.text;
        pass.push_sql("SELECT ");
        text.walk_columns(pass.reborrow())?;
        pass.push_sql(", ");
        pass.push_sql(NUMBER);
        pass.push_sql(" FROM ");
        text.walk_table(pass.reborrow())?;
        pass.push_sql(" INNER JOIN (SELECT *, row_number() OVER () AS ");
        pass.push_sql(NUMBER);
        pass.push_sql(" FROM (");
        self.unknown.walk(pass.reborrow())?;
        pass.push_sql(") AS \"lockset_unknown\" (");
        key_names(&mut pass, text.key_width());
        pass.push_sql(")) AS ");
        pass.push_sql(LISTED);
        pass.push_sql(" ON ");
        is_key(&mut pass, LISTED, text)?;
        pass.push_sql(" ORDER BY ");
        text.walk_key(pass)
    }
}

const LISTED: &str = helper_name!("lockset_listed");
const NUMBER: &str = helper_name!("lockset_i");
