//! Isolation levels: the statement that sets one, and the query that asks whether a transaction sees what other sessions have committed.

use diesel::{
    deserialize,
    pg::Pg,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
    row::Row,
    sql_types::Bool,
};

use crate::{
    backend::Snapshots,
    diesel_internals::{RowRef, Statement},
    mode::Isolation,
};

/// The query that asks whether each statement sees what was committed before it, or the server reports a conflict at the commit.
///
/// Under READ COMMITTED each statement sees it ([manual][levels]). Under SERIALIZABLE none does, but of two transactions that each do what
/// the other should have seen, only one can commit, if both are SERIALIZABLE. Under REPEATABLE READ such a conflict is not detected.
///
/// [levels]: https://www.postgresql.org/docs/current/transaction-iso.html
pub(super) const SNAPSHOTS: Snapshots<Pg> = Snapshots { ask: || Statement::new(Question), are_fresh };

fn are_fresh(row: &RowRef<'_, Pg>) -> deserialize::Result<bool> {
    row.get_value::<Bool, bool, _>(0)
}

/// Sets the isolation level: `SET TRANSACTION ISOLATION LEVEL ..`, the first statement of a transaction.
pub(super) struct Isolate(pub(super) Isolation);

impl QueryFragment<Pg> for Isolate {
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

struct Question;

impl QueryFragment<Pg> for Question {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        pass.push_sql(
            "SELECT pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.<>) 'repeatable read'",
        );
        Ok(())
    }
}
