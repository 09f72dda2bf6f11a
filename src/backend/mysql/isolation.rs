//! The isolation level of a transaction: reads whether its statements see what others have committed, and sets it.

use diesel::{
    deserialize,
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    row::Row,
    sql_types::BigInt,
};

use crate::{
    backend::Snapshots,
    diesel_internals::{RowRef, Statement},
    mode::Isolation,
};

/// The query that tells whether each plain read sees what others have committed.
///
/// Under READ COMMITTED each plain read does ([manual][levels]). Under the two levels above, reads show the snapshot of the first read, or
/// lock what they read. Under the level below, they show what may never be committed.
///
/// No variable of the server has the level of a single transaction (`SET TRANSACTION`). So a session variable has it for the transactions
/// that this crate has begun.
///
/// [levels]: https://dev.mysql.com/doc/refman/9.7/en/innodb-transaction-isolation-levels.html
pub(super) const SNAPSHOTS: Snapshots<Mysql> = Snapshots { ask: || Statement::new(Question), are_fresh };

fn are_fresh(row: &RowRef<'_, Mysql>) -> deserialize::Result<bool> {
    row.get_value::<BigInt, i64, _>(0).map(|fresh| fresh != 0)
}

/// The SQL expression for the level of the open transaction, as far as it is known.
pub(super) const LEVEL: &str =
    "COALESCE(@diesel_lockset_isolation, /*!80001 @@transaction_isolation */ /*M! @@tx_isolation */)";

/// Sets the level of the next transaction. The session remembers it until it is [forgotten](FORGET).
pub(super) struct Isolate(pub(super) Isolation);

/// Clears the level that the session remembers.
pub(super) const FORGET: &str = "SET @diesel_lockset_isolation = NULL";

impl QueryFragment<Mysql> for Isolate {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        let name = match self.0 {
            Isolation::ReadCommitted => "_ascii'READ-COMMITTED'",
            Isolation::RepeatableRead => "_ascii'REPEATABLE-READ'",
            Isolation::Serializable => "_ascii'SERIALIZABLE'",
        };
        // Without `SESSION` the variable is the level of the next transaction alone. MySQL does not take a name in two-byte characters, as
        // `character_set_connection` may have it.
        pass.push_sql("SET /*!80001 @@transaction_isolation */ /*M! @@tx_isolation */ = ");
        pass.push_sql(name);
        pass.push_sql(", @diesel_lockset_isolation = ");
        pass.push_sql(name);
        Ok(())
    }
}

/// Asks whether the level is READ COMMITTED.
struct Question;

impl QueryFragment<Mysql> for Question {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        pass.push_sql("SELECT ");
        pass.push_sql(LEVEL);
        pass.push_sql(" = 'READ-COMMITTED'");
        Ok(())
    }
}
