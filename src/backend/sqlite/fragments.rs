//! SQL fragments that SQLite's statements share.

use diesel::{
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    sqlite::Sqlite,
};

use crate::{
    diesel_internals::sql_of,
    sql::{AnySelect, Chosen, ModelText, key_helper},
};

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

/// Writes a user's query as one that reads the keys of the rows that it chooses.
///
/// A distinct query keeps its own select list behind the key, inside of a subquery: a limit counts the distinct rows of that list.
///
/// ```sql
/// SELECT k0 FROM (SELECT DISTINCT t.id AS k0, ..its own columns.. LIMIT 2)
/// ```
pub(super) fn choice<'b>(
    pass: &mut AstPass<'_, 'b, Sqlite>,
    chosen: &'b Chosen<'_, Sqlite>,
    text: &'b dyn ModelText<Sqlite>,
) -> QueryResult<()> {
    let query = chosen.select();
    if !chosen.shape.distinct {
        pass.push_sql("SELECT * FROM (");
        keys_of(pass, query, text)?;
        pass.push_sql(")");
        return Ok(());
    }
    for column in 0..text.key_width() {
        pass.push_sql(if column == 0 { "SELECT " } else { ", " });
        key_helper(pass, column);
    }
    pass.push_sql(" FROM (");
    query.walk_head(pass.reborrow())?;
    for (i, column) in columns(&sql_of::<Sqlite>(&Key(text))?).into_iter().enumerate() {
        pass.push_sql(column);
        pass.push_sql(" AS ");
        key_helper(pass, i);
        pass.push_sql(", ");
    }
    query.walk_select(pass.reborrow())?;
    query.walk_from(pass.reborrow())?;
    query.walk_filter(pass.reborrow())?;
    query.walk_rest(pass.reborrow())?;
    pass.push_sql(")");
    Ok(())
}

/// The columns of the key, which Diesel writes as one list.
struct Key<'q>(&'q dyn ModelText<Sqlite>);

impl QueryFragment<Sqlite> for Key<'_> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.0.walk_key(pass)
    }
}

/// Returns the parts of a list of quoted names.
fn columns(list: &str) -> Vec<&str> {
    let mut quoted = false;
    // A quote inside of a name is doubled.
    let parts = list.split(|c| {
        quoted ^= c == '`';
        c == ',' && !quoted
    });
    parts.map(str::trim_start).collect()
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn a_list_of_names_is_parted_between_the_names() {
        assert_eq!(columns("`t`.`id`"), ["`t`.`id`"]);
        assert_eq!(columns("`a, b`.`c`, `a, b`.`d``, ``e`"), ["`a, b`.`c`", "`a, b`.`d``, ``e`"]);
    }
}
