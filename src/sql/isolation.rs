//! The isolation level of a transaction.

use diesel::{
    backend::Backend,
    query_builder::{AstPass, QueryFragment, QueryId},
    result::QueryResult,
};

use crate::mode::Isolation;

/// `SET TRANSACTION ISOLATION LEVEL ..`, as the standard has it. Whether it is sent before a transaction begins or as its first
/// statement is the backend's to say.
pub(crate) struct SetIsolation(pub(crate) Isolation);

impl<DB: Backend> QueryFragment<DB> for SetIsolation {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        pass.push_sql("SET TRANSACTION ISOLATION LEVEL ");
        pass.push_sql(match self.0 {
            Isolation::ReadCommitted => "READ COMMITTED",
            Isolation::RepeatableRead => "REPEATABLE READ",
            Isolation::Serializable => "SERIALIZABLE",
        });
        Ok(())
    }
}

impl QueryId for SetIsolation {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
