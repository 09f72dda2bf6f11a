//! What a pick sends when its rows are locked and its query has more to say: do they still match? and for a claim, the change.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::{
    placed::{self, PLACE, PLACED},
    words::{in_hashed, key_name, key_names, key_value},
};
use crate::sql::{Choice, List, Wanted, helper_name};

/// What the query chooses of the rows that are held.
const AGAIN: &str = helper_name!("_again");

/// The rows that are held, in the order in which they were picked, and whether the query still chooses each.
///
/// ```sql
/// WITH _picked (k0) AS MATERIALIZED (SELECT unnest($held)), _placed AS (..),
///   _again (k0) AS MATERIALIZED (SELECT * FROM (SELECT t.id ..the query..) AS chosen (k0) WHERE k0 = ANY($held))
/// SELECT cols, t.id IN (SELECT unnest(ARRAY(SELECT k0 FROM _again)))
/// FROM t INNER JOIN _placed ON t.id = _placed.k0 ORDER BY _placed._place
/// ```
pub(super) struct Look<'q> {
    pub(super) query: &'q dyn Choice<Pg>,
    pub(super) wanted: &'q dyn Wanted<Pg>,
}

impl QueryFragment<Pg> for Look<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Look { query, wanted } = self;
        with_held(&mut pass, *wanted)?;
        pass.push_sql(", ");
        pass.push_sql(AGAIN);
        pass.push_sql(" (");
        key_names(&mut pass, wanted.key_width());
        pass.push_sql(") AS MATERIALIZED (SELECT * FROM (");
        query.walk_head(pass.reborrow())?;
        wanted.walk_key(pass.reborrow())?;
        query.walk_from(pass.reborrow())?;
        query.walk_filter(pass.reborrow())?;
        pass.push_sql(") AS \"chosen\" (");
        key_names(&mut pass, wanted.key_width());
        pass.push_sql(") WHERE (");
        key_names(&mut pass, wanted.key_width());
        pass.push_sql(")");
        wanted.walk_in_list(List::Held, pass.reborrow())?;
        pass.push_sql(") SELECT ");
        wanted.walk_columns(pass.reborrow())?;
        pass.push_sql(", ");
        key_value(&mut pass, *wanted)?;
        in_hashed(&mut pass, wanted.key_width(), &key_name, &|pass| {
            pass.push_sql(" FROM ");
            pass.push_sql(AGAIN);
        });
        pass.push_sql(" FROM ");
        wanted.walk_table(pass.reborrow())?;
        pass.push_sql(" INNER JOIN ");
        pass.push_sql(PLACED);
        pass.push_sql(" ON ");
        placed::is_key(&mut pass, PLACED, *wanted)?;
        pass.push_sql(" ORDER BY ");
        pass.push_sql(PLACED);
        pass.push_sql(".");
        pass.push_sql(PLACE);
        Ok(())
    }
}

/// `WITH _picked .., _placed AS (..) UPDATE t SET .. FROM _placed WHERE t.id = _placed.k0 RETURNING cols, _placed._place`, of rows
/// that are held.
pub(super) struct Change<'q> {
    pub(super) wanted: &'q dyn Wanted<Pg>,
    pub(super) changes: &'q dyn QueryFragment<Pg>,
}

impl QueryFragment<Pg> for Change<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Change { wanted, changes } = self;
        with_held(&mut pass, *wanted)?;
        placed::walk_change(pass.reborrow(), *wanted, *changes, PLACED)?;
        placed::place(&mut pass);
        Ok(())
    }
}

fn with_held<'b>(pass: &mut AstPass<'_, 'b, Pg>, wanted: &'b dyn Wanted<Pg>) -> QueryResult<()> {
    pass.push_sql("WITH ");
    placed::walk_picked(pass, wanted.key_width(), |pass| wanted.walk_list(List::Held, pass.reborrow()))?;
    placed::with_placed(pass, wanted.key_width());
    Ok(())
}
