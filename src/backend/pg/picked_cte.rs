//! The CTEs of a pick: the keys that were picked, and the place of each in the order of the query.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::fragments::{key_names, key_value};
use crate::sql::{ModelText, helper_name, key_helper};

/// Writes `_picked (k0) AS MATERIALIZED (..)`. With `parts`, the key is followed by the table or partition that contains the row.
pub(super) fn walk_picked<'b>(
    pass: &mut AstPass<'_, 'b, Pg>,
    width: usize,
    parts: bool,
    keys: impl FnOnce(&mut AstPass<'_, 'b, Pg>) -> QueryResult<()>,
) -> QueryResult<()> {
    pass.push_sql(PICKED);
    pass.push_sql(" (");
    names(pass, width, parts);
    pass.push_sql(") AS MATERIALIZED (");
    keys(pass)?;
    pass.push_sql(")");
    Ok(())
}

/// Writes `, _placed AS (SELECT k0, min(_place) AS _place FROM (SELECT *, row_number() OVER () AS _place FROM _picked) AS _numbered
/// GROUP BY k0)`.
pub(super) fn with_placed(pass: &mut AstPass<'_, '_, Pg>, width: usize, parts: bool) {
    pass.push_sql(", ");
    pass.push_sql(PLACED);
    pass.push_sql(" AS (SELECT ");
    names(pass, width, parts);
    pass.push_sql(", min(");
    pass.push_sql(PLACE);
    pass.push_sql(") AS ");
    pass.push_sql(PLACE);
    pass.push_sql(" FROM (SELECT *, row_number() OVER () AS ");
    pass.push_sql(PLACE);
    pass.push_sql(" FROM ");
    pass.push_sql(PICKED);
    pass.push_sql(") AS \"_numbered\" GROUP BY ");
    names(pass, width, parts);
    pass.push_sql(")");
}

fn names(pass: &mut AstPass<'_, '_, Pg>, width: usize, parts: bool) {
    key_names(pass, width);
    if parts {
        pass.push_sql(", ");
        pass.push_sql(PART);
    }
}

/// Writes `t.id = (_placed.k0)`.
pub(super) fn is_key<'b>(pass: &mut AstPass<'_, 'b, Pg>, source: &str, text: &'b dyn ModelText<Pg>) -> QueryResult<()> {
    key_value(pass, text)?;
    pass.push_sql(" = (");
    for i in 0..text.key_width() {
        pass.push_sql(if i == 0 { "" } else { ", " });
        pass.push_sql(source);
        pass.push_sql(".");
        key_helper(pass, i);
    }
    pass.push_sql(")");
    Ok(())
}

/// Writes `UPDATE t SET .. FROM _placed WHERE t.id = (_placed.k0) RETURNING cols`.
///
/// With `parts`, it changes only the rows that were picked: a table and one that inherits from it may both have a row with one key.
pub(super) fn walk_change<'b>(
    mut pass: AstPass<'_, 'b, Pg>,
    text: &'b dyn ModelText<Pg>,
    changes: &'b dyn QueryFragment<Pg>,
    source: &str,
    parts: bool,
) -> QueryResult<()> {
    pass.push_sql("UPDATE ");
    text.walk_table(pass.reborrow())?;
    pass.push_sql(" SET ");
    changes.walk_ast(pass.reborrow())?;
    pass.push_sql(" FROM ");
    pass.push_sql(source);
    pass.push_sql(" WHERE ");
    is_key(&mut pass, source, text)?;
    if parts {
        pass.push_sql(" AND ");
        text.walk_table(pass.reborrow())?;
        pass.push_sql(".\"tableoid\" = ");
        pass.push_sql(source);
        pass.push_sql(".");
        pass.push_sql(PART);
    }
    pass.push_sql(" RETURNING ");
    text.walk_columns(pass)
}

/// Writes `, _placed._place`.
pub(super) fn place(pass: &mut AstPass<'_, '_, Pg>) {
    pass.push_sql(", ");
    pass.push_sql(PLACED);
    pass.push_sql(".");
    pass.push_sql(PLACE);
}

/// The CTE of the keys, as they were picked.
pub(super) const PICKED: &str = helper_name!("_picked");
/// The CTE of the keys, each once, with its place.
pub(super) const PLACED: &str = helper_name!("_placed");
/// The column of the table or partition that contains a row.
const PART: &str = helper_name!("_part");
pub(super) const PLACE: &str = helper_name!("_place");
