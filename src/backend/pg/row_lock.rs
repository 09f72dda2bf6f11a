//! Writes the locking clauses on a user's query in PostgreSQL's dialect.

use diesel::{
    deserialize,
    pg::{Pg, PgQueryBuilder},
    query_builder::{AstPass, QueryFragment},
    query_source::QuerySource,
    result::QueryResult,
    row::Row,
    sql_types::Text,
};

use super::{
    fragments::locking_clause,
    table_guard::{walk_guard, walk_guards},
};
use crate::{
    diesel_internals::RowRef,
    mode::{Strength, Wait, WaitPolicy},
    sql::{AnySelect, LockClause, LockStrength, LockedQuery, RowLock, TableName, helper_name, write_text},
};

impl<Q, S, L, W> QueryFragment<Pg> for RowLock<Q, S, L, W>
where
    L: LockStrength<Pg>,
    Q: LockedQuery<Pg>,
    S: QuerySource<FromClause: QueryFragment<Pg> + 'static>,
{
    fn to_sql(&self, out: &mut PgQueryBuilder, _: &Pg) -> QueryResult<()> {
        write_text(self, self, out)
    }

    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if matches!(self.wait_policy, WaitPolicy::Timeout(_)) {
            // A statement outside of the cache is parsed and run by one message, so one timeout covers both.
            pass.unsafe_to_cache_prepared();
        }
        let clauses = LockClause::of(self)?;
        walk_guards(&mut pass, clauses.iter().map(|clause| &clause.table))?;
        pass.push_sql(" ");
        self.walk_tables(pass.reborrow())?;
        self.walk_rest(pass.reborrow())?;
        for LockClause { table, strength, wait } in &clauses {
            locking_clause(&mut pass, *strength, Some(table), *wait)?;
        }
        Ok(())
    }
}

/// Locks the rows that a query wants and that can be locked at once, and returns the keys, as text, of the others.
///
/// ```sql
/// SELECT k FROM (
///   SELECT * FROM (SELECT (t.id)::text, true ..
///     FOR UPDATE OF t SKIP LOCKED) AS locked
///   UNION ALL (SELECT (t.id)::text, false ..)) AS seen (k, held)
/// GROUP BY k HAVING NOT bool_or(held) ORDER BY k
/// ```
///
/// A query with a limit chooses first, in a CTE, and `t WHERE id IN (SELECT * FROM chosen)` takes its place: with `SKIP LOCKED` its own
/// limit would go on to other rows. The first CTE is that of [`walk_guard`].
pub(super) struct BusyRows<'q> {
    pub(super) query: &'q dyn AnySelect<Pg>,
    pub(super) key: &'q dyn QueryFragment<Pg>,
    pub(super) table: &'q TableName,
    pub(super) strength: Strength,
}

/// The CTE of the rows that a limited query chooses.
const CHOSEN: &str = helper_name!("lockset_chosen");

impl BusyRows<'_> {
    fn walk_keys<'b>(&'b self, held: bool, limited: bool, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if limited {
            pass.push_sql("SELECT ");
        } else {
            self.query.walk_head(pass.reborrow())?;
        }
        pass.push_sql("(");
        self.key.walk_ast(pass.reborrow())?;
        pass.push_sql(if held { ")::text, true" } else { ")::text, false" });
        if limited {
            pass.push_sql(" FROM ");
            pass.push_sql(self.table.quoted());
            pass.push_sql(" WHERE (");
            self.key.walk_ast(pass.reborrow())?;
            pass.push_sql(") IN (SELECT * FROM ");
            pass.push_sql(CHOSEN);
            pass.push_sql(")");
            return Ok(());
        }
        self.query.walk_from(pass.reborrow())?;
        self.query.walk_filter(pass.reborrow())?;
        self.query.walk_rest(pass)
    }
}

impl QueryFragment<Pg> for BusyRows<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        walk_guard(&mut pass, self.table);
        let limited = self.query.shape()?.limited;
        if limited {
            pass.push_sql(", ");
            pass.push_sql(CHOSEN);
            pass.push_sql(" AS MATERIALIZED (");
            self.query.walk_head(pass.reborrow())?;
            self.key.walk_ast(pass.reborrow())?;
            self.query.walk_from(pass.reborrow())?;
            self.query.walk_filter(pass.reborrow())?;
            self.query.walk_rest(pass.reborrow())?;
            pass.push_sql(")");
        }
        // PostgreSQL refuses a locking clause on a select directly under a union, but accepts it on a subquery of one.
        pass.push_sql(" SELECT \"k\" FROM (SELECT * FROM (");
        self.walk_keys(true, limited, pass.reborrow())?;
        locking_clause(&mut pass, self.strength, Some(self.table), Wait::SkipLocked)?;
        pass.push_sql(") AS \"locked\" UNION ALL (");
        self.walk_keys(false, limited, pass.reborrow())?;
        pass.push_sql(")) AS \"seen\" (\"k\", \"held\") GROUP BY \"k\" HAVING NOT bool_or(\"held\") ORDER BY \"k\"");
        Ok(())
    }
}

pub(super) fn busy_key(row: &RowRef<'_, Pg>) -> deserialize::Result<String> {
    row.get_value::<Text, String, _>(0)
}
