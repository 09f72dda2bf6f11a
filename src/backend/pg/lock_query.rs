//! The statement that locks the rows of a single query: the locking clause is added to the query itself.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::{fragments::locking_clause, table_guard::walk_guard};
use crate::{
    mode::{Strength, Wait},
    sql::{AnySelect, Chosen, LockClause, ModelText, StatementKind, TableName, TextKey, model_id},
};

/// Locks and loads the rows: `WITH .. SELECT cols FROM t WHERE .. ORDER BY key FOR UPDATE OF t`, see [`walk_guard`].
///
/// After a wait PostgreSQL checks the conditions on the locked row again, so the answer is exact without a recheck.
pub(super) struct LockQuery<'q> {
    pub(super) name: &'q TableName,
    pub(super) text: &'q dyn ModelText<Pg>,
    pub(super) query: &'q dyn AnySelect<Pg>,
    pub(super) strength: Strength,
    pub(super) wait: Wait,
}

impl LockQuery<'_> {
    /// Returns whether a query can take the locking clause: it reads the table alone, without a limit and without folding.
    ///
    /// A limit would be applied in the query's order and not in key order. Folding (`DISTINCT`, `GROUP BY`, `HAVING`) leaves nothing to
    /// lock.
    ///
    /// [`LockRows`](super::lock_rows::LockRows) locks the rows of joins, and those of conditions that may read other rows than the locked
    /// one ([`QueryText::own`](crate::sql::QueryText)), which are rechecked. When PostgreSQL evaluates a row again that it had to wait for,
    /// a nested loop over a union (a view may hide one) finds no partner for it, and the row does not come back although it still matches:
    /// seen on PostgreSQL 15 for `IN (.. UNION ALL ..)` and for a join with a view.
    pub(super) fn suits(choice: &Chosen<'_, Pg>, name: &TableName) -> bool {
        if choice.shape.limited || choice.shape.folded {
            return false;
        }
        let alone = choice.text.from.strip_prefix(" FROM ") == Some(name.quoted());
        alone && choice.text.own
    }

    /// Returns the key of the text; `None` if model and query can give another text at the next call.
    pub(super) fn text_key(&self) -> Option<TextKey> {
        let types = [Some(model_id(self.text)?), Some(self.query.static_id()?)];
        let clause = LockClause { table: self.name.clone(), strength: self.strength, wait: self.wait };
        Some(TextKey::of_set::<Pg>(StatementKind::SetQuery(clause), types))
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
