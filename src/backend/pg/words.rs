//! The pieces that PostgreSQL's statements share: clauses, key conditions, the names of helper columns.

use diesel::{pg::Pg, query_builder::AstPass, result::QueryResult};

use crate::{
    mode::{Strength, Wait},
    sql::{TableName, Wanted},
};

/// Writes ` FOR UPDATE [OF table] [SKIP LOCKED]` and its sisters.
pub(super) fn locking_clause(
    pass: &mut AstPass<'_, '_, Pg>,
    strength: Strength,
    of: Option<&TableName>,
    wait: Wait,
) -> QueryResult<()> {
    pass.push_sql(match strength {
        Strength::KeyShare => " FOR KEY SHARE",
        Strength::Share => " FOR SHARE",
        Strength::NoKeyUpdate => " FOR NO KEY UPDATE",
        Strength::Update => " FOR UPDATE",
    });
    if let Some(table) = of {
        // Without the schema: the manual wants the name that the query gives the table.
        pass.push_sql(" OF ");
        pass.push_identifier(table.bare())?;
    }
    if wait == Wait::SkipLocked {
        pass.push_sql(" SKIP LOCKED");
    }
    Ok(())
}

/// Writes the key as one value: `"t"."id"` or `("t"."a", "t"."b")`.
pub(super) fn key_value<'b>(pass: &mut AstPass<'_, 'b, Pg>, wanted: &'b dyn Wanted<Pg>) -> QueryResult<()> {
    let composite = wanted.key_width() > 1;
    if composite {
        pass.push_sql("(");
    }
    wanted.walk_key(pass.reborrow())?;
    if composite {
        pass.push_sql(")");
    }
    Ok(())
}

/// Writes ` FROM` the table, restricted to the keys that `list` writes, a table expression.
///
/// For one column the restriction is an array from an uncorrelated subquery: the planner runs it once and looks its
/// elements up in the index. For several columns it is a join with the list, made distinct: `(a, b) IN (..)` would be a
/// semi-join, and of some plans for one (seen on PostgreSQL 15: a union on its inner side) a row that changed while it was
/// waited for does not come back although it still qualifies.
pub(super) fn from_table_among<'b>(
    pass: &mut AstPass<'_, 'b, Pg>,
    name: &TableName,
    wanted: &'b dyn Wanted<Pg>,
    list: impl FnOnce(&mut AstPass<'_, 'b, Pg>) -> QueryResult<()>,
) -> QueryResult<()> {
    pass.push_sql(" FROM ");
    wanted.walk_table(pass.reborrow())?;
    if wanted.key_width() == 1 {
        pass.push_sql(" WHERE ");
        wanted.walk_key(pass.reborrow())?;
        pass.push_sql(" = ANY(ARRAY(");
        list(pass)?;
        pass.push_sql("))");
    } else {
        pass.push_sql(" INNER JOIN (SELECT DISTINCT * FROM (");
        list(pass)?;
        pass.push_sql(") AS \"listed\") AS ");
        let among = if name.bare() == "among" { "amongst" } else { "among" };
        pass.push_identifier(among)?;
        pass.push_sql(" (");
        key_names(pass, wanted.key_width())?;
        pass.push_sql(") ON (");
        wanted.walk_key(pass.reborrow())?;
        pass.push_sql(") = (");
        for i in 0..wanted.key_width() {
            pass.push_sql(if i == 0 { "" } else { ", " });
            pass.push_identifier(among)?;
            pass.push_sql(".");
            pass.push_identifier(&format!("k{i}"))?;
        }
        pass.push_sql(")");
    }
    Ok(())
}

/// Writes the helper columns of the key: `"k0", "k1"`.
pub(super) fn key_names(pass: &mut AstPass<'_, '_, Pg>, width: usize) -> QueryResult<()> {
    for i in 0..width {
        if i > 0 {
            pass.push_sql(", ");
        }
        pass.push_identifier(&format!("k{i}"))?;
    }
    Ok(())
}

/// The name of the helper table, which must not hide the table itself.
pub(super) fn helper(table: &TableName) -> &'static str {
    if table.bare() == "wanted" { "chosen" } else { "wanted" }
}
