//! The statements that take the first free rows of a query.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    sql_types::BigInt,
};

use super::words::{key_names, key_value, locking_clause};
use crate::{
    backend::Picking,
    mode::Wait,
    sql::{Choice, Columns, TableName, Wanted},
};

/// `SELECT cols ..the query, in its order.. LIMIT $n FOR UPDATE OF t SKIP LOCKED`
///
/// Rows are locked beneath the limit, so no more than it says; a row that changed in between is checked again and, if it no
/// longer matches, the next one takes its place.
pub(super) struct Pick<'q> {
    pub(super) query: &'q dyn Choice<Pg>,
    pub(super) columns: Columns<'q, Pg>,
    pub(super) pick: Picking<'q>,
}

impl QueryFragment<Pg> for Pick<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.query.walk_head(pass.reborrow())?;
        match self.columns {
            Columns::Of(wanted) => wanted.walk_columns(pass.reborrow())?,
            Columns::Own => self.query.walk_select(pass.reborrow())?,
        }
        walk_picked(self.query, &self.pick, pass)
    }
}

/// ```sql
/// WITH picked (k0) AS MATERIALIZED (SELECT t.id ..the query, in its order.. LIMIT $n FOR UPDATE OF t SKIP LOCKED),
///   placed (k0, place) AS (SELECT k0, min(place) FROM (SELECT *, row_number() OVER () FROM picked) AS numbered (k0, place)
///     GROUP BY k0)
/// UPDATE t SET .. FROM placed WHERE t.id = placed.k0 RETURNING cols, placed.place
/// ```
///
/// The grouping reads all of `picked` before the first row is changed. Without it, a row that a join repeats would already be
/// changed by this very statement when it comes again, and would be passed over in favour of the row after the last. One row
/// alone neither comes again nor has an order: for it `placed` is left out.
///
/// A materialized helper runs once, whatever the plan. `WHERE id IN (SELECT .. LIMIT 1 FOR UPDATE SKIP LOCKED)` may be run
/// once for each row: measured on PostgreSQL 15, it took 20 of 20 rows under a nested loop.
pub(super) struct Claim<'q> {
    pub(super) query: &'q dyn Choice<Pg>,
    pub(super) wanted: &'q dyn Wanted<Pg>,
    pub(super) changes: &'q dyn QueryFragment<Pg>,
    pub(super) pick: Picking<'q>,
}

impl QueryFragment<Pg> for Claim<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (picked, placed) = helpers(self.pick.table);
        let width = self.wanted.key_width();
        pass.push_sql("WITH ");
        pass.push_identifier(picked)?;
        pass.push_sql(" (");
        key_names(&mut pass, width)?;
        pass.push_sql(") AS MATERIALIZED (");
        self.query.walk_head(pass.reborrow())?;
        self.wanted.walk_key(pass.reborrow())?;
        walk_picked(self.query, &self.pick, pass.reborrow())?;
        pass.push_sql(")");
        let source = if *self.pick.limit > 1 { placed } else { picked };
        if source == placed {
            pass.push_sql(", ");
            pass.push_identifier(placed)?;
            pass.push_sql(" AS (SELECT ");
            key_names(&mut pass, width)?;
            pass.push_sql(", min(\"place\") AS \"place\" FROM (SELECT *, row_number() OVER () AS \"place\" FROM ");
            pass.push_identifier(picked)?;
            pass.push_sql(") AS \"numbered\" GROUP BY ");
            key_names(&mut pass, width)?;
            pass.push_sql(")");
        }
        pass.push_sql(" UPDATE ");
        self.wanted.walk_table(pass.reborrow())?;
        pass.push_sql(" SET ");
        self.changes.walk_ast(pass.reborrow())?;
        pass.push_sql(" FROM ");
        pass.push_identifier(source)?;
        pass.push_sql(" WHERE ");
        key_value(&mut pass, self.wanted)?;
        pass.push_sql(" = (");
        for i in 0..width {
            pass.push_sql(if i == 0 { "" } else { ", " });
            pass.push_identifier(source)?;
            pass.push_sql(".");
            pass.push_identifier(&format!("k{i}"))?;
        }
        pass.push_sql(") RETURNING ");
        self.wanted.walk_columns(pass.reborrow())?;
        if source == placed {
            pass.push_sql(", ");
            pass.push_identifier(placed)?;
            pass.push_sql(".\"place\"");
        } else {
            pass.push_sql(", 1::bigint");
        }
        Ok(())
    }
}

/// Up to here the number of rows is part of the text, so that a plan can be kept: of a limit that is a parameter PostgreSQL
/// guesses a tenth of the table, finds that too dear and plans each call anew, which took longer than the pick itself. Beyond,
/// planning hardly matters, and the texts must not fill the cache of statements.
const MOST_WRITTEN_OUT: i64 = 100;

fn walk_picked<'b>(query: &'b dyn Choice<Pg>, pick: &'b Picking<'_>, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
    query.walk_from(pass.reborrow())?;
    query.walk_filter(pass.reborrow())?;
    query.walk_rest(pass.reborrow())?;
    pass.push_sql(" LIMIT ");
    if *pick.limit <= MOST_WRITTEN_OUT {
        pass.push_sql(&pick.limit.to_string());
    } else {
        pass.push_bind_param::<BigInt, i64>(pick.limit)?;
    }
    locking_clause(&mut pass, pick.strength, Some(pick.table), Wait::SkipLocked)
}

/// The names of the helper tables, which must not hide the table itself.
fn helpers(table: &TableName) -> (&'static str, &'static str) {
    match table.bare() {
        "picked" => ("free", "placed"),
        "placed" => ("picked", "free"),
        _ => ("picked", "placed"),
    }
}
