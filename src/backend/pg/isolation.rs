//! The isolation level of the transaction that has just begun.

use diesel::{
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use crate::mode::Isolation;

/// `SET TRANSACTION ISOLATION LEVEL ..`, the first statement of its transaction.
pub(super) struct SetIsolation(pub(super) Isolation);

impl QueryFragment<Pg> for SetIsolation {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql("SET TRANSACTION ISOLATION LEVEL ");
        pass.push_sql(match self.0 {
            Isolation::ReadCommitted => "READ COMMITTED",
            Isolation::RepeatableRead => "REPEATABLE READ",
            Isolation::Serializable => "SERIALIZABLE",
        });
        Ok(())
    }
}
