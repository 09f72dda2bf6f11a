//! The statement for one query alone: the locking clause goes onto the query itself.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::words::locking_clause;
use crate::{
    diesel_internals::sql_of,
    mode::{Strength, Wait},
    sql::{Choice, Chosen, TableName, Wanted},
};

/// `SELECT cols FROM ..the query.. ORDER BY key FOR UPDATE OF t`
///
/// After a wait PostgreSQL checks the query's own conditions on the locked row again, so the answer is exact by itself.
pub(super) struct LockQuery<'q> {
    pub(super) name: &'q TableName,
    pub(super) wanted: &'q dyn Wanted<Pg>,
    pub(super) query: &'q dyn Choice<Pg>,
    pub(super) strength: Strength,
}

impl LockQuery<'_> {
    /// A limit would be applied in the query's order, not in ours; folded rows cannot be locked. And `OF` takes a name
    /// without schema, which must mean one table only.
    pub(super) fn suits(choice: &Chosen<'_, Pg>, name: &TableName) -> QueryResult<bool> {
        if choice.shape.limited || choice.shape.folded {
            return Ok(false);
        }
        let from = sql_of::<Pg>(&From(&*choice.query))?;
        let alone = from.strip_prefix(" FROM ") == Some(name.quoted());
        let twice = !alone && from.contains(&format!(".\"{}\"", name.bare().replace('"', "\"\"")));
        // The columns of a join are written `"t"."c"` in its ON clause too: only a second *table* matters, and a column
        // that is named like the table costs nothing but the other form of the statement.
        Ok(!twice)
    }
}

impl QueryFragment<Pg> for LockQuery<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.query.walk_head(pass.reborrow())?;
        self.wanted.walk_columns(pass.reborrow())?;
        self.query.walk_from(pass.reborrow())?;
        self.query.walk_filter(pass.reborrow())?;
        pass.push_sql(" ORDER BY ");
        self.wanted.walk_key(pass.reborrow())?;
        locking_clause(&mut pass, self.strength, Some(self.name), Wait::Block)
    }
}

struct From<'q>(&'q dyn Choice<Pg>);

impl QueryFragment<Pg> for From<'_> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_from(pass)
    }
}
