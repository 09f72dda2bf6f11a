//! The statements of a pick after its rows are locked: the recheck of the query's conditions and, for a claim, the change.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::{
    fragments::{in_hashed, key_name, key_names, key_value},
    picked_cte::{self, PLACE, PLACED},
};
use crate::sql::{AnySelect, Keys, ModelText, helper_name};

/// The CTE of the locked rows that the query still chooses.
const AGAIN: &str = helper_name!("_again");

/// Reads the locked rows in the order in which they were picked, each with whether the query still chooses it.
///
/// ```sql
/// WITH _picked (k0) AS MATERIALIZED (SELECT unnest($held)), _placed AS (..),
///   _again (k0) AS MATERIALIZED (
///     SELECT * FROM (SELECT t.id ..the query..) AS chosen (k0)
///     WHERE k0 = ANY($held))
/// SELECT cols, t.id IN (SELECT unnest(ARRAY(SELECT k0 FROM _again)))
/// FROM t INNER JOIN _placed ON t.id = _placed.k0 ORDER BY _placed._place
/// ```
pub(super) struct Look<'q> {
    pub(super) query: &'q dyn AnySelect<Pg>,
    pub(super) text: &'q dyn ModelText<Pg>,
    pub(super) held: &'q dyn Keys<Pg>,
}

impl QueryFragment<Pg> for Look<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Look { query, text, held } = self;
        with_held(&mut pass, text.key_width(), *held)?;
        pass.push_sql(", ");
        pass.push_sql(AGAIN);
        pass.push_sql(" (");
        key_names(&mut pass, text.key_width());
        pass.push_sql(") AS MATERIALIZED (SELECT * FROM (");
        query.walk_head(pass.reborrow())?;
        text.walk_key(pass.reborrow())?;
        query.walk_from(pass.reborrow())?;
        query.walk_filter(pass.reborrow())?;
        pass.push_sql(") AS \"chosen\" (");
        key_names(&mut pass, text.key_width());
        pass.push_sql(") WHERE (");
        key_names(&mut pass, text.key_width());
        pass.push_sql(")");
        held.walk_in(pass.reborrow())?;
        pass.push_sql(") SELECT ");
        text.walk_columns(pass.reborrow())?;
        pass.push_sql(", ");
        key_value(&mut pass, *text)?;
        in_hashed(&mut pass, text.key_width(), &key_name, &|pass| {
            pass.push_sql(" FROM ");
            pass.push_sql(AGAIN);
        });
        pass.push_sql(" FROM ");
        text.walk_table(pass.reborrow())?;
        pass.push_sql(" INNER JOIN ");
        pass.push_sql(PLACED);
        pass.push_sql(" ON ");
        picked_cte::is_key(&mut pass, PLACED, *text)?;
        pass.push_sql(" ORDER BY ");
        pass.push_sql(PLACED);
        pass.push_sql(".");
        pass.push_sql(PLACE);
        Ok(())
    }
}

/// Changes locked rows.
///
/// `WITH _picked .., _placed AS (..) UPDATE t SET .. FROM _placed WHERE t.id = _placed.k0 RETURNING cols, _placed._place`.
pub(super) struct Change<'q> {
    pub(super) text: &'q dyn ModelText<Pg>,
    pub(super) held: &'q dyn Keys<Pg>,
    pub(super) changes: &'q dyn QueryFragment<Pg>,
}

impl QueryFragment<Pg> for Change<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Change { text, held, changes } = self;
        with_held(&mut pass, text.key_width(), *held)?;
        pass.push_sql(" ");
        picked_cte::walk_change(pass.reborrow(), *text, *changes, PLACED, false)?;
        picked_cte::place(&mut pass);
        Ok(())
    }
}

fn with_held<'b>(pass: &mut AstPass<'_, 'b, Pg>, width: usize, held: &'b dyn Keys<Pg>) -> QueryResult<()> {
    pass.push_sql("WITH ");
    picked_cte::walk_picked(pass, width, false, |pass| held.walk(pass.reborrow()))?;
    picked_cte::with_placed(pass, width, false);
    Ok(())
}
