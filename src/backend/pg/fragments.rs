//! SQL fragments that PostgreSQL's statements share: clauses, key conditions, the names of helper columns.

use std::ops::Range;

use diesel::{pg::Pg, query_builder::AstPass, result::QueryResult};

use crate::{
    mode::{Strength, Wait},
    sql::{Chosen, ModelText, TableName, helper_name, key_helper},
};

/// Writes ` FOR UPDATE [OF table] [SKIP LOCKED]`, or the clause of another strength.
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
        // Without the schema: according to the manual the clause takes the name that the query gives the table.
        pass.push_sql(" OF ");
        pass.push_identifier(table.bare())?;
    }
    if wait == Wait::SkipLocked {
        pass.push_sql(" SKIP LOCKED");
    }
    Ok(())
}

/// Writes the key as one value: `"t"."id"` or `("t"."a", "t"."b")`.
pub(super) fn key_value<'b>(pass: &mut AstPass<'_, 'b, Pg>, text: &'b dyn ModelText<Pg>) -> QueryResult<()> {
    let composite = text.key_width() > 1;
    if composite {
        pass.push_sql("(");
    }
    text.walk_key(pass.reborrow())?;
    if composite {
        pass.push_sql(")");
    }
    Ok(())
}

/// Writes ` FROM` and the table, restricted to the keys that `list` writes as a table expression.
///
/// It is a join with the distinct list. `(a, b) IN (..)` is a semi-join, and some plans for one (seen on PostgreSQL 15: a union on its
/// inner side) lose a row that changed while it was waited for, although it still qualifies. `= ANY(ARRAY(..))` is searched from its
/// beginning for each row that changed, and for all rows where a bitmap does not fit into `work_mem`: 8,000 changed rows with a `varchar`
/// key took more than a minute. With one key column the list is an array from a subquery, which the planner estimates at ten rows. So it
/// looks keys up in the index, however many rows the queries seem to choose.
pub(super) fn from_table_among<'b>(
    pass: &mut AstPass<'_, 'b, Pg>,
    text: &'b dyn ModelText<Pg>,
    list: impl FnOnce(&mut AstPass<'_, 'b, Pg>) -> QueryResult<()>,
) -> QueryResult<()> {
    let several = text.key_width() > 1;
    pass.push_sql(" FROM ");
    text.walk_table(pass.reborrow())?;
    pass.push_sql(" INNER JOIN (SELECT DISTINCT ");
    pass.push_sql(if several { "* FROM (" } else { "unnest(ARRAY(" });
    list(pass)?;
    pass.push_sql(if several { ") AS \"listed\") AS " } else { "))) AS " });
    pass.push_sql(helper_name!("among"));
    pass.push_sql(" (");
    key_names(pass, text.key_width());
    pass.push_sql(") ON ");
    key_value(pass, text)?;
    pass.push_sql(if several { " = (" } else { " = " });
    for i in 0..text.key_width() {
        pass.push_sql(if i == 0 { "" } else { ", " });
        pass.push_sql(helper_name!("among"));
        pass.push_sql(".");
        key_name(pass, i);
    }
    pass.push_sql(if several { ")" } else { "" });
    Ok(())
}

/// Returns the groups of a part's queries, in the order of their first query: each item is true for the queries with a limit.
///
/// There are at most two, the queries with a limit and those without. It does not matter which query of a group chose a row, so a statement
/// grows with the number of queries only by their own texts.
pub(super) fn groups(choices: &[Chosen<'_, Pg>]) -> impl Iterator<Item = bool> {
    let first = choices.first().map(|chosen| chosen.shape.limited);
    let other = first.filter(|first| choices.iter().any(|chosen| chosen.shape.limited != *first)).map(|first| !first);
    first.into_iter().chain(other)
}

/// Returns whether the number of a group also says that a row was requested by key: it is the group without a limit, and the rows that it
/// chose are not counted. A column less saves the client a tenth of the work for each row.
pub(super) fn tells_of_keys(choices: &[Chosen<'_, Pg>], counts: bool) -> bool {
    !counts && groups(choices).any(|limited| !limited)
}

/// The longest chain of `UNION ALL`: the server's parser descends one level for each, and fails when its stack is full.
const MOST_IN_A_ROW: usize = 64;

/// Writes the items of `range`, separated by ` UNION ALL `; many of them as a tree.
pub(super) fn union_all<'b>(
    pass: &mut AstPass<'_, 'b, Pg>,
    range: Range<usize>,
    item: &mut dyn FnMut(&mut AstPass<'_, 'b, Pg>, usize) -> QueryResult<()>,
) -> QueryResult<()> {
    if range.len() > MOST_IN_A_ROW {
        let middle = range.start + range.len() / 2;
        pass.push_sql("(");
        union_all(pass, range.start..middle, item)?;
        pass.push_sql(") UNION ALL (");
        union_all(pass, middle..range.end, item)?;
        pass.push_sql(")");
        return Ok(());
    }
    for i in range.clone() {
        if i > range.start {
            pass.push_sql(" UNION ALL ");
        }
        item(pass, i)?;
    }
    Ok(())
}

/// Writes ` IN (SELECT ..)` of these columns of a table expression, in a form whose rows the server always hashes.
///
/// The server would hash the rows of `IN (SELECT "k0" FROM ..)` only if it estimates that they fit into `work_mem`, and otherwise read all
/// of them for each row. An array from a subquery is estimated at ten rows, whatever their number and the settings.
pub(super) fn in_hashed(
    pass: &mut AstPass<'_, '_, Pg>,
    width: usize,
    column: &dyn Fn(&mut AstPass<'_, '_, Pg>, usize),
    from: &dyn Fn(&mut AstPass<'_, '_, Pg>),
) {
    for i in 0..width {
        pass.push_sql(if i == 0 { " IN (SELECT unnest(ARRAY(SELECT " } else { ", unnest(ARRAY(SELECT " });
        column(pass, i);
        from(pass);
        pass.push_sql("))");
    }
    pass.push_sql(")");
}

/// Writes one helper column of the key: `"k0"`.
pub(super) fn key_name(pass: &mut AstPass<'_, '_, Pg>, i: usize) {
    key_helper(pass, i);
}

/// Writes the helper columns of the key: `"k0", "k1"`.
pub(super) fn key_names(pass: &mut AstPass<'_, '_, Pg>, width: usize) {
    for i in 0..width {
        if i > 0 {
            pass.push_sql(", ");
        }
        key_name(pass, i);
    }
}

/// Writes a user's query with the crate's select list: the number and the row's position, if requested, and its key.
///
/// A distinct query keeps its own select list behind the crate's, inside of a subquery: `ORDER BY` may only name what is selected, and a
/// limit counts the distinct rows of that list.
pub(super) fn choice<'b>(
    pass: &mut AstPass<'_, 'b, Pg>,
    choice: &'b Chosen<'_, Pg>,
    text: &'b dyn ModelText<Pg>,
    number: Option<usize>,
    position: bool,
) -> QueryResult<()> {
    let query = choice.select();
    if choice.shape.distinct {
        pass.push_sql("SELECT ");
        push_number(pass, number);
        own_names(pass, text.key_width(), position)?;
        pass.push_sql(" FROM (");
    }
    query.walk_head(pass.reborrow())?;
    if !choice.shape.distinct {
        push_number(pass, number);
    }
    if position {
        walk_position(pass, text)?;
        pass.push_sql(", ");
    }
    text.walk_key(pass.reborrow())?;
    if choice.shape.distinct {
        pass.push_sql(", ");
        query.walk_select(pass.reborrow())?;
    }
    query.walk_from(pass.reborrow())?;
    query.walk_filter(pass.reborrow())?;
    query.walk_rest(pass.reborrow())?;
    if choice.shape.distinct {
        pass.push_sql(") AS \"distinct\" (");
        own_names(pass, text.key_width(), position)?;
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

/// Writes names for the crate's columns that no column of the user's is likely to have.
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

/// Writes the position of a row: its table or partition, and its place in it. A changed row has another position.
pub(super) fn walk_position<'b>(pass: &mut AstPass<'_, 'b, Pg>, text: &'b dyn ModelText<Pg>) -> QueryResult<()> {
    text.walk_table(pass.reborrow())?;
    pass.push_sql(".\"tableoid\", ");
    text.walk_table(pass.reborrow())?;
    pass.push_sql(".\"ctid\"");
    Ok(())
}
