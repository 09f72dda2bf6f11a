//! Whether the statements of a transaction see what others have committed.

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

/// Under READ COMMITTED each plain read does ([manual][levels]). Under the two levels above, reads show the snapshot of the first one, or lock
/// what they read; below, they show what may never be committed.
///
/// The level of a single transaction (`SET TRANSACTION`) is in no variable of the server, so a variable of the session says it of those
/// that this crate has begun.
///
/// [levels]: https://dev.mysql.com/doc/refman/9.7/en/innodb-transaction-isolation-levels.html
pub(super) const SNAPSHOTS: Snapshots<Mysql> = Snapshots { ask: || Statement::new(Question), are_fresh };

fn are_fresh(row: &RowRef<'_, Mysql>) -> deserialize::Result<bool> {
    row.get_value::<BigInt, i64, _>(0).map(|fresh| fresh != 0)
}

/// The level as the variables of the servers name it.
pub(super) fn name(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::ReadCommitted => "'READ-COMMITTED'",
        Isolation::RepeatableRead => "'REPEATABLE-READ'",
        Isolation::Serializable => "'SERIALIZABLE'",
    }
}

struct Question;

impl QueryFragment<Mysql> for Question {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        pass.push_sql(
            "SELECT COALESCE(@diesel_lockset_isolation, /*!80001 @@transaction_isolation */ /*M! @@tx_isolation */) = 'READ-COMMITTED'",
        );
        Ok(())
    }
}
