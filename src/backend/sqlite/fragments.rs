//! SQL fragments that SQLite's statements share.

use diesel::{query_builder::AstPass, result::QueryResult, sqlite::Sqlite};

use crate::sql::{AnySelect, ModelText};

/// Writes the key as one value: `` `t`.`id` `` or ``(`t`.`a`, `t`.`b`)``.
pub(super) fn key_value<'b>(pass: &mut AstPass<'_, 'b, Sqlite>, text: &'b dyn ModelText<Sqlite>) -> QueryResult<()> {
    let composite = text.key_width() > 1;
    pass.push_sql(if composite { "(" } else { "" });
    text.walk_key(pass.reborrow())?;
    pass.push_sql(if composite { ")" } else { "" });
    Ok(())
}

/// Writes a user's query with the key as its select list.
pub(super) fn keys_of<'b>(
    pass: &mut AstPass<'_, 'b, Sqlite>,
    query: &'b dyn AnySelect<Sqlite>,
    text: &'b dyn ModelText<Sqlite>,
) -> QueryResult<()> {
    query.walk_head(pass.reborrow())?;
    text.walk_key(pass.reborrow())?;
    query.walk_from(pass.reborrow())?;
    query.walk_filter(pass.reborrow())?;
    query.walk_rest(pass.reborrow())
}
