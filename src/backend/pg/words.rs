//! The pieces that PostgreSQL's statements share: clauses, key conditions, the names of helper columns.

use diesel::{pg::Pg, query_builder::AstPass, result::QueryResult};

use crate::{
    mode::{Strength, Wait},
    sql::{Chosen, TableName, Wanted, helper_name, key_helper},
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
        pass.push_sql(helper_name!("among"));
        pass.push_sql(" (");
        key_names(pass, wanted.key_width());
        pass.push_sql(") ON (");
        wanted.walk_key(pass.reborrow())?;
        pass.push_sql(") = (");
        for i in 0..wanted.key_width() {
            pass.push_sql(if i == 0 { "" } else { ", " });
            pass.push_sql(helper_name!("among"));
            pass.push_sql(".");
            key_helper(pass, i);
        }
        pass.push_sql(")");
    }
    Ok(())
}

/// Writes the helper columns of the key: `"k0", "k1"`.
pub(super) fn key_names(pass: &mut AstPass<'_, '_, Pg>, width: usize) {
    for i in 0..width {
        if i > 0 {
            pass.push_sql(", ");
        }
        key_helper(pass, i);
    }
}

/// Writes a user's query with our select list: where the row lies, if asked for, and its key.
///
/// A distinct query keeps its own select list behind ours, inside of a subquery: `ORDER BY` may only name what is selected,
/// and a limit counts what is distinct there.
pub(super) fn choice<'b>(
    pass: &mut AstPass<'_, 'b, Pg>,
    choice: &'b Chosen<'_, Pg>,
    wanted: &'b dyn Wanted<Pg>,
    number: Option<usize>,
    position: bool,
) -> QueryResult<()> {
    let query = &*choice.query;
    if choice.shape.distinct {
        pass.push_sql("SELECT ");
        push_number(pass, number);
        own_names(pass, wanted.key_width(), position)?;
        pass.push_sql(" FROM (");
    }
    query.walk_head(pass.reborrow())?;
    if !choice.shape.distinct {
        push_number(pass, number);
    }
    if position {
        walk_position(pass, wanted)?;
        pass.push_sql(", ");
    }
    wanted.walk_key(pass.reborrow())?;
    if choice.shape.distinct {
        pass.push_sql(", ");
        query.walk_select(pass.reborrow())?;
    }
    query.walk_from(pass.reborrow())?;
    query.walk_filter(pass.reborrow())?;
    query.walk_rest(pass.reborrow())?;
    if choice.shape.distinct {
        pass.push_sql(") AS \"distinct\" (");
        own_names(pass, wanted.key_width(), position)?;
        pass.push_sql(")");
    }
    Ok(())
}

fn push_number(pass: &mut AstPass<'_, '_, Pg>, number: Option<usize>) {
    if let Some(number) = number {
        pass.push_sql(&number.to_string());
        pass.push_sql(", ");
    }
}

/// Names for our columns that no column of the user's is likely to have.
fn own_names(pass: &mut AstPass<'_, '_, Pg>, width: usize, position: bool) -> QueryResult<()> {
    if position {
        pass.push_sql("\"lockset_o\", \"lockset_c\", ");
    }
    for i in 0..width {
        if i > 0 {
            pass.push_sql(", ");
        }
        pass.push_identifier(&format!("lockset_k{i}"))?;
    }
    Ok(())
}

/// Where the row lies: its partition and its place in it. A changed row lies elsewhere.
pub(super) fn walk_position<'b>(pass: &mut AstPass<'_, 'b, Pg>, wanted: &'b dyn Wanted<Pg>) -> QueryResult<()> {
    wanted.walk_table(pass.reborrow())?;
    pass.push_sql(".\"tableoid\", ");
    wanted.walk_table(pass.reborrow())?;
    pass.push_sql(".\"ctid\"");
    Ok(())
}
