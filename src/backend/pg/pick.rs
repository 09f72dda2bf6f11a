//! The statements that take the first free rows of a query: one each.

use diesel::{
    deserialize,
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    row::Row,
    sql_types::BigInt,
};

use super::{
    text::{Remembered, TextKey},
    words::{key_names, key_value, locking_clause},
};
use crate::{
    backend::{Exchange, PickDialogue, Picking, Reader},
    diesel_internals::{RowRef, Statement},
    error::Result,
    mode::{Strength, Wait},
    sql::{Choice, Columns, Found, Part, Sight, TableName, Wanted},
};

/// PostgreSQL's conversation about a pick.
#[doc(hidden)]
#[derive(Debug)]
pub struct PgPick {
    table: TableName,
    strength: Strength,
    limit: i64,
    done: bool,
    /// Where each claimed row stands in the order of the query.
    places: Option<Vec<i64>>,
}

impl PickDialogue<Pg> for PgPick {
    const CLAIMS_IN_A_TRANSACTION: bool = false;

    fn new(_: &dyn Choice<Pg>, _: &mut dyn Part<Pg>, pick: Picking<'_>, claims: bool) -> QueryResult<Self> {
        let Picking { table, strength, limit } = pick;
        let places = claims.then(Vec::new);
        Ok(PgPick { table: table.clone(), strength, limit: *limit, done: false, places })
    }

    fn exchange<'e>(
        &'e mut self,
        query: &'e dyn Choice<Pg>,
        part: &'e mut dyn Part<Pg>,
        changes: Option<&'e dyn QueryFragment<Pg>>,
    ) -> Option<Exchange<'e, Pg>> {
        if self.done {
            return None;
        }
        let PgPick { table, strength, limit, places, .. } = self;
        let (wanted, found) = part.sides();
        let (width, pick) = (wanted.width(), Picking { table, strength: *strength, limit });
        let key = TextKey::new(query, Some(wanted), &pick);
        let statement = match changes {
            Some(changes) => {
                let key = key.and_then(|key| key.with(changes));
                Statement::new(Remembered { key, statement: Claim { query, wanted, changes, pick } })
            }
            None => Statement::new(Remembered { key, statement: Pick { query, columns: Columns::Of(wanted), pick } }),
        };
        Some(Exchange::new(statement, PickedReader { found, width, places: places.as_mut() }))
    }

    fn end_of_rows(&mut self, _: &mut dyn Part<Pg>) -> Result<()> {
        self.done = true;
        Ok(())
    }

    fn arrange<T>(self, rows: Vec<T>) -> Vec<T> {
        let Some(places) = self.places else { return rows };
        let mut rows: Vec<_> = places.into_iter().zip(rows).collect();
        rows.sort_by_key(|(place, _)| *place);
        rows.into_iter().map(|(_, row)| row).collect()
    }
}

/// A pick that selects what the query selects by itself.
pub(super) fn pick_selected<'q>(query: &'q dyn Choice<Pg>, pick: Picking<'q>) -> Statement<'q, Pg> {
    let key = TextKey::new(query, None, &pick);
    Statement::new(Remembered { key, statement: Pick { query, columns: Columns::Own, pick } })
}

struct PickedReader<'e> {
    found: &'e mut dyn Found<Pg>,
    width: usize,
    /// Behind the columns stands the row's place.
    places: Option<&'e mut Vec<i64>>,
}

impl Reader<Pg> for PickedReader<'_> {
    fn row(&mut self, row: &RowRef<'_, Pg>) -> deserialize::Result<()> {
        if let Some(places) = &mut self.places {
            places.push(row.get_value::<BigInt, i64, _>(self.width)?);
        }
        self.found.read(&row.window(0..self.width), Sight::Wanted)
    }
}

/// `SELECT cols ..the query, in its order.. LIMIT $n FOR UPDATE OF t SKIP LOCKED`
///
/// Rows are locked beneath the limit, so no more than it says; a row that changed in between is checked again and, if it no
/// longer matches, the next one takes its place.
struct Pick<'q> {
    query: &'q dyn Choice<Pg>,
    columns: Columns<'q, Pg>,
    pick: Picking<'q>,
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
struct Claim<'q> {
    query: &'q dyn Choice<Pg>,
    wanted: &'q dyn Wanted<Pg>,
    changes: &'q dyn QueryFragment<Pg>,
    pick: Picking<'q>,
}

impl QueryFragment<Pg> for Claim<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (picked, placed) = helpers(self.pick.table);
        let width = self.wanted.key_width();
        pass.push_sql("WITH ");
        pass.push_sql(picked);
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
            pass.push_sql(placed);
            pass.push_sql(" AS (SELECT ");
            key_names(&mut pass, width)?;
            pass.push_sql(", min(\"place\") AS \"place\" FROM (SELECT *, row_number() OVER () AS \"place\" FROM ");
            pass.push_sql(picked);
            pass.push_sql(") AS \"numbered\" GROUP BY ");
            key_names(&mut pass, width)?;
            pass.push_sql(")");
        }
        pass.push_sql(" UPDATE ");
        self.wanted.walk_table(pass.reborrow())?;
        pass.push_sql(" SET ");
        self.changes.walk_ast(pass.reborrow())?;
        pass.push_sql(" FROM ");
        pass.push_sql(source);
        pass.push_sql(" WHERE ");
        key_value(&mut pass, self.wanted)?;
        pass.push_sql(" = (");
        for i in 0..width {
            pass.push_sql(if i == 0 { "" } else { ", " });
            pass.push_sql(source);
            pass.push_sql(".");
            pass.push_identifier(&format!("k{i}"))?;
        }
        pass.push_sql(") RETURNING ");
        self.wanted.walk_columns(pass.reborrow())?;
        if source == placed {
            pass.push_sql(", ");
            pass.push_sql(placed);
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
pub(super) fn is_written_out(limit: i64) -> bool {
    limit <= 100
}

fn walk_picked<'b>(query: &'b dyn Choice<Pg>, pick: &'b Picking<'_>, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
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

/// The names of the helper tables, quoted; they must not hide the table itself, nor, unless somebody calls a table so, one that
/// the changes look into.
fn helpers(table: &TableName) -> (&'static str, &'static str) {
    match table.bare() {
        "_picked" => (r#""_free""#, r#""_placed""#),
        "_placed" => (r#""_picked""#, r#""_free""#),
        _ => (r#""_picked""#, r#""_placed""#),
    }
}
