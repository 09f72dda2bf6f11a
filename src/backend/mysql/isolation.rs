//! The isolation level of the next transaction.

use diesel::{
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use crate::mode::Isolation;

/// `SET TRANSACTION ISOLATION LEVEL ..`, before the transaction: inside of one it is an error.
pub(super) struct SetIsolation(pub(super) Isolation);

impl QueryFragment<Mysql> for SetIsolation {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        pass.push_sql("SET TRANSACTION ISOLATION LEVEL ");
        pass.push_sql(match self.0 {
            Isolation::ReadCommitted => "READ COMMITTED",
            Isolation::RepeatableRead => "REPEATABLE READ",
            Isolation::Serializable => "SERIALIZABLE",
        });
        Ok(())
    }
}
