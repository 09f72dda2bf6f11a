//! The statements that read the rows that a query chooses: [`Resolve`] for all rows, and [`Recheck`] for those that are locked.

use diesel::{
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::{
    covering_index::Uncovered,
    fragments::{
        Asked, READ_AND_LOCK, from_table, keep_out_of_cache, key_among, key_value, locking_clause, names, with_names,
        without_limit,
    },
    level_guard::Refused,
};
use crate::{
    diesel_internals::{Statement, is_empty},
    mode::{Strength, Wait},
    sql::{AnySelect, Filter, Keys, ModelText, Named, Shape, helper_name},
};

/// A query and its shape: the clauses that it has besides tables and filters.
pub(super) type Asking<'q> = (&'q dyn AnySelect<Mysql>, Shape);

/// Reads the rows that a query chooses, without a lock: `SELECT cols ..the query..`. A locking clause would lock every row that is read on
/// the way, in any order.
///
/// Under SERIALIZABLE, where plain reads lock, the statement fails before it reads a row: next to the tables of the query stands `(SELECT 1
/// FROM DUAL WHERE ..)`. In the query's own conditions raw SQL may have an `OR` without parentheses. After `HAVING` the condition would
/// keep the servers from reading a limited query along an index.
///
/// Rows that turned out not to match can be left out, so that a limit goes on to other rows where the transaction's snapshot is older than
/// the current state of these rows. For a query over the table alone, this is done by `HAVING NOT (id IN (..))`.
pub(super) struct Resolve<'q> {
    pub(super) text: &'q dyn ModelText<Mysql>,
    pub(super) asking: Asking<'q>,
    pub(super) without: Option<&'q dyn Keys<Mysql>>,
}

impl QueryFragment<Mysql> for Resolve<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        let Resolve { text, asking: (query, shape), without } = *self;
        if without.is_some() {
            // The list of the rows is part of the text.
            keep_out_of_cache(&mut pass);
        }
        select(&mut pass, (query, shape), text)?;
        if without.is_some() {
            pass.push_sql(", ");
            text.walk_key(pass.reborrow())?;
        }
        query.walk_from(pass.reborrow())?;
        pass.push_sql(" INNER JOIN (SELECT 1 FROM DUAL WHERE ");
        Refused::Serializable.walk_condition(&mut pass);
        pass.push_sql(") AS ");
        pass.push_sql(LEVEL);
        query.walk_filter(pass.reborrow())?;
        if let Some(without) = without {
            pass.push_sql(" HAVING NOT (");
            key_among(&mut pass, text, [without])?;
            pass.push_sql(")");
        }
        query.walk_rest(pass.reborrow())?;
        if !shape.limited {
            without_limit(&mut pass);
        }
        Ok(())
    }
}

const LEVEL: &str = helper_name!("lockset_level");

/// Reads which of the locked rows a query matches.
///
/// ```sql
/// WITH held (k0) AS (SELECT id FROM t FORCE INDEX (PRIMARY) WHERE id IN (..))
/// SELECT cols FROM t INNER JOIN .. INNER JOIN held ON t.id = (k0) WHERE ..
/// ```
///
/// This is a plain read, which locks nothing. Under READ COMMITTED its snapshot is younger than the locks.
///
/// A query with `MATCH .. AGAINST` over `t` alone is evaluated by a locking read, which shows the current state of the rows at every
/// isolation level:
///
/// ```sql
/// WITH held (k0) AS (..)
/// SELECT cols FROM held STRAIGHT_JOIN t ON t.id = (k0)
/// WHERE .. OR RAND() < 0 FOR UPDATE
/// ```
pub(super) struct Recheck<'q> {
    pub(super) text: &'q dyn ModelText<Mysql>,
    pub(super) held: &'q dyn Keys<Mysql>,
    pub(super) asking: Asking<'q>,
    pub(super) asked: Asked,
    pub(super) strength: Strength,
    pub(super) uncovered: &'q Uncovered,
}

impl<'q> Recheck<'q> {
    /// Returns the statement, with the head that it needs if it locks.
    pub(super) fn statement(self) -> Statement<'q, Mysql> {
        let locks = self.asked == Asked::Beside;
        let statement = Statement::new(Named(self));
        if locks { statement.behind(READ_AND_LOCK) } else { statement }
    }
}

impl QueryFragment<Mysql> for Recheck<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        let Recheck { text, held, asking: (query, shape), asked, strength, uncovered } = *self;
        let beside = asked == Asked::Beside;
        // The keys are not part of the condition, since raw SQL in it may have an `OR` without parentheses.
        with_names(&mut pass, HELD, text.key_width());
        text.walk_key(pass.reborrow())?;
        from_table(&mut pass, text)?;
        pass.push_sql(" WHERE ");
        key_among(&mut pass, text, [held])?;
        pass.push_sql(") ");
        if !beside {
            select(&mut pass, (query, shape), text)?;
            query.walk_from(pass.reborrow())?;
            pass.push_sql(" INNER JOIN ");
            pass.push_sql(HELD);
            on_held(&mut pass, text)?;
            query.walk_filter(pass.reborrow())?;
            if shape.folded && !shape.limited {
                query.walk_rest(pass.reborrow())?;
            }
            without_limit(&mut pass);
            return Ok(());
        }
        pass.push_sql("SELECT ");
        text.walk_columns(pass.reborrow())?;
        uncovered.walk_column(&mut pass);
        pass.push_sql(" FROM ");
        pass.push_sql(HELD);
        pass.push_sql(" STRAIGHT_JOIN ");
        text.walk_table(pass.reborrow())?;
        on_held(&mut pass, text)?;
        if !is_empty::<Mysql>(&Filter(query))? {
            query.walk_filter(pass.reborrow())?;
            // Never true, but neither server knows that beforehand. Without it, MariaDB would find the rows by the full-text index, and
            // lock all rows that it finds there.
            pass.push_sql(" OR RAND() < 0");
        }
        locking_clause(&mut pass, strength, None, Wait::Block)
    }
}

/// Writes the head of a query, with the columns of the model.
fn select<'b>(
    pass: &mut AstPass<'_, 'b, Mysql>,
    (query, shape): Asking<'b>,
    text: &'b dyn ModelText<Mysql>,
) -> QueryResult<()> {
    query.walk_head(pass.reborrow())?;
    text.walk_columns(pass.reborrow())?;
    // `ORDER BY` may only name columns that a distinct query selects, and a limit counts the distinct rows.
    if shape.distinct {
        pass.push_sql(", ");
        query.walk_select(pass.reborrow())?;
    }
    Ok(())
}

/// Writes ` ON t.id = (held.k0)`.
fn on_held<'b>(pass: &mut AstPass<'_, 'b, Mysql>, text: &'b dyn ModelText<Mysql>) -> QueryResult<()> {
    pass.push_sql(" ON ");
    key_value(pass, text)?;
    pass.push_sql(" = (");
    names(pass, HELD, 0..text.key_width());
    pass.push_sql(")");
    Ok(())
}

const HELD: &str = helper_name!("lockset_held");
