//! Conditions that make a statement fail under some isolation levels, before it reads a row.
//!
//! They use no columns. Where they hold they cost no round trip. The level is that of the session, or that of a transaction that this crate
//! has begun. The level that another part of the program has chosen for a single transaction by `SET TRANSACTION` is not visible.

use diesel::{mysql::Mysql, query_builder::AstPass, result::Error as DieselError};

use super::isolation::LEVEL;
use crate::error::LockError;

/// The isolation levels under which a statement must not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// SERIALIZABLE, where a plain read takes shared locks: two sets by query would read the same rows and then wait for each other.
    Serializable,
    /// REPEATABLE READ and SERIALIZABLE, where a plain read shows the transaction's snapshot or takes locks. The condition does not fail on
    /// a MariaDB that rolls the transaction back after `NOWAIT`, since there is no better statement there.
    Snapshot,
}

impl Refused {
    /// Returns a text that is part of the error message on both servers: the message has the text of the condition.
    const fn sign(self) -> &'static str {
        match self {
            Refused::Serializable => "'SERIALIZABLE'",
            Refused::Snapshot => "'REPEATABLE-READ'",
        }
    }

    /// Writes the condition. `~0` is the largest number there is, so adding 1 to it overflows.
    pub(super) fn walk_condition(self, pass: &mut AstPass<'_, '_, Mysql>) {
        pass.push_sql("~0 + (");
        pass.push_sql(LEVEL);
        pass.push_sql(match self {
            Refused::Serializable => " = 'SERIALIZABLE')",
            Refused::Snapshot => {
                " IN ('REPEATABLE-READ', 'SERIALIZABLE') /*M! AND NOT @@innodb_rollback_on_timeout */)"
            }
        });
    }

    /// Returns whether an error comes from the condition.
    pub(super) fn is_of(self, error: &LockError) -> bool {
        let LockError::Query(DieselError::DatabaseError(_, info)) = error else { return false };
        info.message().contains("~") && info.message().contains(self.sign())
    }
}

/// Builds the error for a query under SERIALIZABLE.
pub(super) fn of_serializable() -> LockError {
    LockError::Unsupported {
        clause: "a query in a set, a pick or a claim under SERIALIZABLE, on MySQL and MariaDB",
        advice: "a plain read locks rows there, in whatever order, and two such calls would wait for each other: choose READ \
                 COMMITTED for the transaction, or ask for the rows by key",
    }
}
