//! The statements of a pick or a claim: lock free rows, count the candidate rows, and change the locked rows.

use diesel::{
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    sql_types::BigInt,
};

use super::fragments::{
    Asked, comment, join_by_key, keep_out_of_cache, key_among, key_value, locking_clause, names, with_names,
};
use super::{control::IS_OPEN, key_check::KeyCheck, level_guard::Refused};
use crate::{
    backend::Picking,
    mode::Wait,
    sql::{AnySelect, Keys, ModelText, TableName, helper_name},
};

/// Locks and reads the first free rows, in the order of the query.
///
/// ```sql
/// WITH _candidates (k0) AS (SELECT t.id ..the query, in its order.. LIMIT 64)
/// SELECT cols
/// FROM _candidates
///   STRAIGHT_JOIN t FORCE INDEX (PRIMARY) ON t.id = _candidates.k0
/// WHERE .. AND EXISTS (SELECT 1 FROM DUAL WHERE ..)
/// LIMIT n FOR UPDATE SKIP LOCKED
/// ```
///
/// The first conditions are that of [`Refused::Serializable`], since under that level the candidate rows would be locked as they are read,
/// and that of [`KeyCheck`].
///
/// For a claim it is not kept prepared: it returns the database that is used. Nor is it if its text has a list of rows.
///
/// The candidate rows are read without a lock, and then looked up one by one until enough of them are locked. So no other row is locked.
/// `ORDER BY .. LIMIT 1 FOR UPDATE SKIP LOCKED` on the query itself locks every row that it sorts, and leaves none for the next worker.
pub(super) struct FreeRows<'q> {
    pub(super) query: &'q dyn AnySelect<Mysql>,
    pub(super) text: &'q dyn ModelText<Mysql>,
    pub(super) asked: Asked,
    /// Rows to leave out: they turned out not to match the query.
    pub(super) without: Option<&'q dyn Keys<Mysql>>,
    pub(super) pick: Picking<'q>,
    pub(super) candidates: i64,
    pub(super) fitness: &'q KeyCheck,
    /// True if the name of the database is read along, for [`Change`].
    pub(super) claims: bool,
}

impl QueryFragment<Mysql> for FreeRows<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        let FreeRows { query, text, asked, without, pick, candidates, fitness, claims } = self;
        if *claims || without.is_some() || fitness.has_asked() {
            keep_out_of_cache(&mut pass);
        }
        let width = text.key_width();
        with_names(&mut pass, CANDIDATES, width);
        text.walk_key(pass.reborrow())?;
        walk_candidates(*query, candidates, None, pass.reborrow())?;
        pass.push_sql(") SELECT ");
        text.walk_columns(pass.reborrow())?;
        pass.push_sql(if *claims { ", DATABASE() FROM " } else { " FROM " });
        pass.push_sql(CANDIDATES);
        pass.push_sql(" STRAIGHT_JOIN ");
        text.walk_table(pass.reborrow())?;
        pass.push_sql(" FORCE INDEX (PRIMARY) ON ");
        key_value(&mut pass, *text)?;
        pass.push_sql(" = (");
        names(&mut pass, CANDIDATES, 0..width);
        pass.push_sql(")");
        pass.push_sql(" WHERE ");
        Refused::Serializable.walk_condition(&mut pass);
        pass.push_sql(" AND ");
        fitness.walk_condition(&mut pass)?;
        if *asked == Asked::AtOnce {
            pass.push_sql(" AND EXISTS (SELECT 1 FROM DUAL");
            query.walk_filter(pass.reborrow())?;
            pass.push_sql(")");
        }
        if let Some(without) = without {
            pass.push_sql(" AND NOT (");
            key_among(&mut pass, *text, [*without])?;
            pass.push_sql(")");
        }
        pass.push_sql(" LIMIT ");
        pass.push_bind_param::<BigInt, i64>(pick.limit)?;
        locking_clause(&mut pass, pick.strength, None, Wait::SkipLocked)
    }
}

/// Counts the candidate rows, up to a maximum of `candidates`.
pub(super) struct Count<'q> {
    pub(super) query: &'q dyn AnySelect<Mysql>,
    pub(super) candidates: i64,
}

impl QueryFragment<Mysql> for Count<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        pass.push_sql("SELECT COUNT(*) FROM (SELECT 1");
        walk_candidates(self.query, &self.candidates, None, pass.reborrow())?;
        pass.push_sql(") AS `candidates` LIMIT 1");
        Ok(())
    }
}

/// Changes rows that are locked: `UPDATE t SET .. WHERE id IN (..)`, if the transaction that locked them is open ([`IS_OPEN`]).
///
/// Diesel keeps it. So its text has the name of the database in which the rows are locked, in a [comment].
pub(super) struct Change<'q> {
    pub(super) text: &'q dyn ModelText<Mysql>,
    pub(super) held: &'q dyn Keys<Mysql>,
    pub(super) changes: &'q dyn QueryFragment<Mysql>,
    pub(super) database: &'q str,
}

impl QueryFragment<Mysql> for Change<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        pass.push_sql("UPDATE ");
        comment(&mut pass, self.database);
        self.text.walk_table(pass.reborrow())?;
        pass.push_sql(" FORCE INDEX (PRIMARY) SET ");
        self.changes.walk_ast(pass.reborrow())?;
        pass.push_sql(" WHERE ");
        key_among(&mut pass, self.text, [self.held])?;
        pass.push_sql(IS_OPEN);
        Ok(())
    }
}

/// Locks the first free rows and reads the query's own select list. The locking clause is added to the query itself.
pub(super) struct PickSelected<'q> {
    pub(super) query: &'q dyn AnySelect<Mysql>,
    pub(super) pick: Picking<'q>,
}

impl QueryFragment<Mysql> for PickSelected<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        keep_out_of_cache(&mut pass);
        self.query.walk_head(pass.reborrow())?;
        self.query.walk_select(pass.reborrow())?;
        walk_candidates(self.query, self.pick.limit, Some(self.pick.table), pass.reborrow())?;
        locking_clause(&mut pass, self.pick.strength, Some(self.pick.table), Wait::SkipLocked)
    }
}

/// Writes the query from `FROM` on, with a limit. If a table is given, it is joined by its primary key, so that a table without one is
/// refused.
fn walk_candidates<'b>(
    query: &'b dyn AnySelect<Mysql>,
    limit: &'b i64,
    must_have_a_key: Option<&TableName>,
    mut pass: AstPass<'_, 'b, Mysql>,
) -> QueryResult<()> {
    query.walk_from(pass.reborrow())?;
    if let Some(table) = must_have_a_key {
        join_by_key(&mut pass, table)?;
    }
    query.walk_filter(pass.reborrow())?;
    query.walk_rest(pass.reborrow())?;
    pass.push_sql(" LIMIT ");
    pass.push_bind_param::<BigInt, i64>(limit)
}

const CANDIDATES: &str = helper_name!("_candidates");
