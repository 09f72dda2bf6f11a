//! The statement for one query alone: the locking clause goes onto the query itself.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::{fragments::locking_clause, table_guard::walk_guard};
use crate::{
    mode::{Strength, Wait},
    sql::{AnySelect, Chosen, ModelText, TableName},
};

/// `WITH .. SELECT cols FROM t WHERE .. ORDER BY key FOR UPDATE OF t`, see [`walk_guard`].
///
/// After a wait PostgreSQL checks the conditions on the locked row again, so the answer is exact by itself.
pub(super) struct LockQuery<'q> {
    pub(super) name: &'q TableName,
    pub(super) text: &'q dyn ModelText<Pg>,
    pub(super) query: &'q dyn AnySelect<Pg>,
    pub(super) strength: Strength,
    pub(super) wait: Wait,
}

impl LockQuery<'_> {
    /// Whether a query is over the table alone, without a limit, which would be applied in the query's order and not in
    /// ours, and without folding, which leaves nothing to lock.
    ///
    /// Joins go the other way, and conditions that may read other rows than the one that is locked
    /// ([`QueryText::own`](crate::sql::QueryText)), which are asked about once more. When PostgreSQL looks again at a row that it had to
    /// wait for, a nested loop over a union (a view may hide one) finds no partner for it, and the row does not come back although it
    /// still matches: seen on PostgreSQL 15 for `IN (.. UNION ALL ..)` and for a join with a view.
    pub(super) fn suits(choice: &Chosen<'_, Pg>, name: &TableName) -> bool {
        if choice.shape.limited || choice.shape.folded {
            return false;
        }
        let alone = choice.text.from.strip_prefix(" FROM ") == Some(name.quoted());
        alone && choice.text.own
    }
}

impl QueryFragment<Pg> for LockQuery<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        walk_guard(&mut pass, self.name);
        pass.push_sql(" ");
        self.query.walk_head(pass.reborrow())?;
        self.text.walk_columns(pass.reborrow())?;
        self.query.walk_from(pass.reborrow())?;
        self.query.walk_filter(pass.reborrow())?;
        pass.push_sql(" ORDER BY ");
        self.text.walk_key(pass.reborrow())?;
        locking_clause(&mut pass, self.strength, Some(self.name), self.wait)
    }
}
