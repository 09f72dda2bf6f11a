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

/// Writes a condition that the key is among what `list` writes, a table expression.
///
/// For one column this is an array from an uncorrelated subquery: the planner runs it once and looks its elements up in
/// the index. `IN` would be a semi-join, for which it may well scan the table.
pub(super) fn key_among<'b>(
    pass: &mut AstPass<'_, 'b, Pg>,
    wanted: &'b dyn Wanted<Pg>,
    list: impl FnOnce(&mut AstPass<'_, 'b, Pg>) -> QueryResult<()>,
) -> QueryResult<()> {
    key_value(pass, wanted)?;
    let (open, close) = if wanted.key_width() == 1 { (" = ANY(ARRAY(", "))") } else { (" IN (", ")") };
    pass.push_sql(open);
    list(pass)?;
    pass.push_sql(close);
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
