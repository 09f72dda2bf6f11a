//! PostgreSQL's spelling of a locking clause on a user's query.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    query_source::QuerySource,
    result::QueryResult,
};

use super::words::locking_clause;
use crate::{
    error::LockError,
    sql::{LockWords, RowLock, TableName, Unlockable},
};

impl<Q, S, L, W> QueryFragment<Pg> for RowLock<Q, S, L, W>
where
    Self: LockWords,
    Q: QueryFragment<Pg> + Unlockable<Pg>,
    S: QuerySource<FromClause: QueryFragment<Pg>>,
{
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if let Some(clause) = self.query.unlockable()? {
            return Err(LockError::Unsupported { clause }.into());
        }
        self.query.walk_ast(pass.reborrow())?;
        let table = TableName::of::<Pg>(&self.table.from_clause())?;
        locking_clause(&mut pass, Self::STRENGTH, Some(&table), Self::WAIT)
    }
}
