//! The single statement of a pick, and that of a claim.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    sql_types::BigInt,
};

use super::{
    fragments::locking_clause,
    picked_cte::{self, PICKED, PLACED},
    table_guard::walk_guard,
};
use crate::{
    backend::Picking,
    mode::Wait,
    sql::{AnySelect, Columns, ModelText, helper_name},
};

/// Picks rows: `SELECT cols ..the query, in its order.. LIMIT $n FOR UPDATE OF t SKIP LOCKED`, behind [`walk_guard`].
///
/// The server locks rows below the limit, so no more than the limit allows. It evaluates the conditions again on a row that changed in
/// between. If the row no longer matches, the next one takes its place.
pub(super) struct Pick<'q> {
    pub(super) query: &'q dyn AnySelect<Pg>,
    pub(super) columns: Columns<'q, Pg>,
    pub(super) pick: Picking<'q>,
}

impl QueryFragment<Pg> for Pick<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        walk_guard(&mut pass, self.pick.table);
        pass.push_sql(" ");
        self.query.walk_head(pass.reborrow())?;
        match self.columns {
            Columns::Of(text) => text.walk_columns(pass.reborrow())?,
            Columns::Own => self.query.walk_select(pass.reborrow())?,
        }
        walk_picked(self.query, &self.pick, pass)
    }
}

/// Claims rows: picks and changes them in one statement.
///
/// ```sql
/// WITH _picked (k0, _part) AS MATERIALIZED (
///     SELECT t.id, t.tableoid ..the query, in its order..
///     LIMIT $n FOR UPDATE OF t SKIP LOCKED),
///   _placed AS (..),
///   _changed AS (UPDATE t SET .. FROM _placed
///     WHERE t.id = _placed.k0 AND t.tableoid = _placed._part
///     RETURNING cols, _placed._place)
/// SELECT *
/// FROM (SELECT count(*) FROM _placed) AS _count LEFT JOIN _changed ON true
/// ```
///
/// The count distinguishes a picked row that a trigger kept from being changed from no picked row.
///
/// The first CTE, not shown here, is that of [`walk_guard`].
///
/// The grouping of `_placed` reads all of `_picked` before the first row is changed. Without it, a row that a join repeats would already be
/// changed by this very statement when it comes again, and would be skipped in favour of the row after the last. A single row neither comes
/// again nor has an order, so `_placed` is left out for it.
///
/// A materialized CTE runs once, whatever the query plan. `WHERE id IN (SELECT .. LIMIT 1 FOR UPDATE SKIP LOCKED)` may be run once for each
/// row: measured on PostgreSQL 15, it took 20 of 20 rows under a nested loop.
pub(super) struct Claim<'q> {
    pub(super) query: &'q dyn AnySelect<Pg>,
    pub(super) text: &'q dyn ModelText<Pg>,
    pub(super) changes: &'q dyn QueryFragment<Pg>,
    pub(super) pick: Picking<'q>,
}

impl QueryFragment<Pg> for Claim<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Claim { query, text, changes, pick } = self;
        walk_guard(&mut pass, pick.table);
        pass.push_sql(", ");
        picked_cte::walk_picked(&mut pass, text.key_width(), true, |pass| {
            query.walk_head(pass.reborrow())?;
            text.walk_key(pass.reborrow())?;
            pass.push_sql(", ");
            text.walk_table(pass.reborrow())?;
            pass.push_sql(".\"tableoid\"");
            walk_picked(*query, pick, pass.reborrow())
        })?;
        let several = *pick.limit > 1;
        if several {
            picked_cte::with_placed(&mut pass, text.key_width(), true);
        }
        let source = if several { PLACED } else { PICKED };
        pass.push_sql(", ");
        pass.push_sql(CHANGED);
        pass.push_sql(" AS (");
        picked_cte::walk_change(pass.reborrow(), *text, *changes, source, true)?;
        if several {
            picked_cte::place(&mut pass);
        } else {
            pass.push_sql(", 1::bigint");
        }
        pass.push_sql(") SELECT * FROM (SELECT count(*) FROM ");
        pass.push_sql(source);
        pass.push_sql(") AS \"_count\" LEFT JOIN ");
        pass.push_sql(CHANGED);
        pass.push_sql(" ON true");
        Ok(())
    }
}

const CHANGED: &str = helper_name!("_changed");

/// Returns whether the number of rows is part of the text, so that the server can keep a query plan.
///
/// For a limit that is a parameter, PostgreSQL estimates a tenth of the table, considers that too expensive and plans each call anew, which
/// took longer than the pick itself. For larger limits planning hardly matters, and the texts must not fill the statement cache.
pub(super) fn is_written_out(limit: i64) -> bool {
    limit <= 100
}

fn walk_picked<'b>(
    query: &'b dyn AnySelect<Pg>,
    pick: &'b Picking<'_>,
    mut pass: AstPass<'_, 'b, Pg>,
) -> QueryResult<()> {
    query.walk_from(pass.reborrow())?;
    query.walk_filter(pass.reborrow())?;
    query.walk_rest(pass.reborrow())?;
    pass.push_sql(" LIMIT ");
    if is_written_out(*pick.limit) {
        pass.push_sql(&pick.limit.to_string());
    } else {
        pass.push_bind_param::<BigInt, i64>(pick.limit)?;
    }
    locking_clause(&mut pass, pick.strength, Some(pick.table), Wait::SkipLocked)
}
