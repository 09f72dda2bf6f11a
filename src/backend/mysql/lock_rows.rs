//! The statements that ask which rows a query chooses, lock rows by key, and look at what was not locked.

use diesel::{
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::cover::Uncovered;
use super::fitness::Fitness;
use super::words::{
    Asked, Asking, choice, from_table, in_place_of_table, keep_out_of_cache, key_among, key_value, locking_clause,
    names, read_and_lock, table_in_comment, with_names, without_limit,
};
use crate::{
    diesel_internals::is_empty,
    mode::{Strength, Wait},
    sql::{Choice, Filter, Keys, ModelText, TableName, helper_name},
};

/// `SELECT cols ..the query..`, without a lock: with one, every row that is read on the way would be locked, in whatever
/// order.
///
/// Rows that turned out not to match are left out, so that a limit goes on to others also where the transaction's snapshot is
/// older than what they are now.
pub(super) struct Resolve<'q> {
    pub(super) name: &'q TableName,
    pub(super) text: &'q dyn ModelText<Mysql>,
    pub(super) asking: Asking<'q>,
    pub(super) without: Option<&'q dyn Keys<Mysql>>,
}

impl QueryFragment<Mysql> for Resolve<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        if let Some(without) = self.without {
            in_place_of_table(&mut pass, self.name, self.text, |pass| {
                pass.push_sql("NOT (");
                key_among(pass, self.text, [without])?;
                pass.push_sql(")");
                Ok(())
            })?;
        }
        choice(&mut pass, self.asking, self.text, true, None)
    }
}

/// One model's side of [`LockRows`].
pub(super) struct LockModel<'q> {
    pub(super) text: &'q dyn ModelText<Mysql>,
    pub(super) now: Option<&'q dyn Keys<Mysql>>,
    /// Those of them that were asked for by key.
    pub(super) asked: Option<&'q dyn Keys<Mysql>>,
    /// The queries that the statement asks about each row.
    pub(super) at_once: Vec<&'q dyn Choice<Mysql>>,
}

/// `SELECT cols, .. FROM t FORCE INDEX (PRIMARY) WHERE id IN (..) AND .. ORDER BY id LIMIT 18446744073709551615 FOR UPDATE`
///
/// The last condition is that of [`Fitness`]. Behind the columns of all models stand, for each model, whether the row was asked for by key, and for each query over the
/// table alone whether the row matches it: `EXISTS (SELECT 1 FROM DUAL WHERE ..)` sees the row as it is under the lock, also
/// where the transaction's snapshot is older.
pub(super) struct LockRows<'q> {
    pub(super) models: Vec<LockModel<'q>>,
    /// Nothing: only look.
    pub(super) lock: Option<(Strength, Wait)>,
    /// Rows may come for several reasons.
    pub(super) mixed: bool,
    pub(super) uncovered: Option<&'q Uncovered>,
    /// Must be known to be lockable.
    pub(super) fitness: Option<&'q Fitness>,
}

impl QueryFragment<Mysql> for LockRows<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        if self.models.iter().any(|model| !model.at_once.is_empty()) {
            read_and_lock(&mut pass);
        }
        let mut separator = "SELECT ";
        for model in &self.models {
            pass.push_sql(separator);
            model.text.walk_columns(pass.reborrow())?;
            separator = ", ";
        }
        for LockModel { text, asked, at_once, .. } in self.models.iter().filter(|_| self.mixed) {
            pass.push_sql(separator);
            match asked {
                Some(asked) => key_among(&mut pass, *text, [*asked])?,
                None => pass.push_sql("FALSE"),
            }
            for query in at_once {
                pass.push_sql(", EXISTS (SELECT 1 FROM DUAL");
                query.walk_filter(pass.reborrow())?;
                pass.push_sql(")");
            }
        }
        if let Some(uncovered) = self.uncovered {
            uncovered.walk_column(&mut pass);
        }
        let table = self.models[0].text;
        from_table(&mut pass, table)?;
        pass.push_sql(" WHERE ");
        key_among(&mut pass, table, self.models.iter().filter_map(|model| model.now))?;
        if let Some(fitness) = self.fitness {
            pass.push_sql(" AND ");
            fitness.walk_condition(&mut pass)?;
        }
        pass.push_sql(" ORDER BY ");
        table.walk_key(pass.reborrow())?;
        without_limit(&mut pass);
        match self.lock {
            Some((strength, wait)) => locking_clause(&mut pass, strength, None, wait),
            None => Ok(()),
        }
    }
}

/// Which of the locked rows does a query over a join match?
///
/// ```sql
/// WITH t AS (SELECT * FROM t FORCE INDEX (PRIMARY) WHERE id IN (..) FOR UPDATE) SELECT cols FROM t INNER JOIN .. WHERE ..
/// ```
///
/// Only the rows of `t` are read as they are under the lock, and only they are locked; a locking clause on the join would lock
/// the rows of all its tables on MariaDB.
///
/// A query with `MATCH .. AGAINST` over `t` alone is asked by
///
/// ```sql
/// WITH held (k0) AS (SELECT id FROM t FORCE INDEX (PRIMARY) WHERE id IN (..))
/// SELECT cols FROM held STRAIGHT_JOIN t ON t.id = (k0) WHERE .. OR RAND() < 0 FOR UPDATE
/// ```
pub(super) struct Recheck<'q> {
    pub(super) name: &'q TableName,
    pub(super) text: &'q dyn ModelText<Mysql>,
    pub(super) held: &'q dyn Keys<Mysql>,
    pub(super) asking: Asking<'q>,
    pub(super) strength: Strength,
    pub(super) asked: Asked,
    pub(super) uncovered: &'q Uncovered,
}

impl QueryFragment<Mysql> for Recheck<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        read_and_lock(&mut pass);
        let Recheck { name, text, held, asking, strength, asked, uncovered } = *self;
        let (query, shape) = asking;
        let among = |pass: &mut AstPass<'_, 'b, Mysql>| key_among(pass, text, [held]);
        let folded = shape.folded && !shape.limited;
        if asked == Asked::InPlace {
            in_place_of_table(&mut pass, name, text, |pass| {
                among(pass)?;
                locking_clause(pass, strength, None, Wait::Block)
            })?;
            return choice(&mut pass, asking, text, folded, Some(uncovered));
        }
        // Not in the condition: raw SQL in it may have an `OR` without parentheses.
        with_names(&mut pass, HELD, text.key_width());
        text.walk_key(pass.reborrow())?;
        from_table(&mut pass, text)?;
        pass.push_sql(" WHERE ");
        among(&mut pass)?;
        pass.push_sql(") SELECT ");
        text.walk_columns(pass.reborrow())?;
        uncovered.walk_column(&mut pass);
        if asked == Asked::Beside {
            pass.push_sql(" FROM ");
            pass.push_sql(HELD);
            pass.push_sql(" STRAIGHT_JOIN ");
            text.walk_table(pass.reborrow())?;
            on_held(&mut pass, text)?;
            if !is_empty::<Mysql>(&Filter(query))? {
                query.walk_filter(pass.reborrow())?;
                // Never true, which neither server knows beforehand. But for it, MariaDB would find the rows by the full-text index, and
                // lock all that it finds there.
                pass.push_sql(" OR RAND() < 0");
            }
            return locking_clause(&mut pass, strength, None, Wait::Block);
        }
        query.walk_from(pass.reborrow())?;
        pass.push_sql(" INNER JOIN ");
        pass.push_sql(HELD);
        on_held(&mut pass, text)?;
        query.walk_filter(pass.reborrow())?;
        without_limit(&mut pass);
        pass.push_sql(" /*!80001 FOR");
        pass.push_sql(if strength < Strength::NoKeyUpdate { " SHARE OF " } else { " UPDATE OF " });
        table_in_comment(&mut pass, name)?;
        pass.push_sql(" */");
        Ok(())
    }
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

/// Which rank the server gives to each of these keys, by their numbers; the same to those that it holds for equal.
///
/// ```sql
/// WITH listed (k0, k1) AS (SELECT id, 0 FROM t WHERE 1 = 0 UNION ALL SELECT ?, 0 UNION ALL SELECT ?, 1 ..)
/// SELECT k1, DENSE_RANK() OVER (ORDER BY k0) FROM listed
/// ```
///
/// The first `SELECT` gives the column its type and its collation.
pub(super) struct Sort<'q> {
    pub(super) text: &'q dyn ModelText<Mysql>,
    /// Each with the number of its first key.
    pub(super) lists: Vec<(&'q dyn Keys<Mysql>, usize)>,
}

impl QueryFragment<Mysql> for Sort<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        let table = self.text;
        let width = table.key_width();
        // The number is the last of the columns.
        with_names(&mut pass, LISTED, width + 1);
        table.walk_key(pass.reborrow())?;
        pass.push_sql(", 0");
        from_table(&mut pass, table)?;
        pass.push_sql(" WHERE 1 = 0");
        for (keys, first) in &self.lists {
            keys.walk_numbered(*first, pass.reborrow())?;
        }
        pass.push_sql(") SELECT ");
        names(&mut pass, LISTED, width..width + 1);
        pass.push_sql(", DENSE_RANK() OVER (ORDER BY ");
        names(&mut pass, LISTED, 0..width);
        pass.push_sql(") FROM ");
        pass.push_sql(LISTED);
        without_limit(&mut pass);
        Ok(())
    }
}

const LISTED: &str = helper_name!("listed");
