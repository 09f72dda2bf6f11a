//! Conditions without columns that fail under some isolation levels, before a row is read.
//!
//! They cost no round trip where they hold. The level is that of the session, or the one that this crate has begun the transaction at: what
//! somebody else has chosen for a single transaction by `SET TRANSACTION` shows nowhere.

use diesel::{mysql::Mysql, query_builder::AstPass, result::Error as DieselError};

use super::isolation::LEVEL;
use crate::error::LockError;

/// What a statement must not be run under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// SERIALIZABLE, where a plain read takes shared locks: two sets by query would read the same rows and each wait for the other.
    Serializable,
    /// The levels at which a plain read shows the transaction's snapshot. Not on a MariaDB that rolls the transaction back after `NOWAIT`:
    /// there is nothing better there.
    Snapshot,
}

impl Refused {
    /// What both servers say in the message of the error: they print text as it stands.
    const fn sign(self) -> &'static str {
        match self {
            Refused::Serializable => "'SERIALIZABLE'",
            Refused::Snapshot => "'REPEATABLE-READ'",
        }
    }

    /// Writes the condition: `~0` is the largest number there is.
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

    /// Whether an error is that of the condition.
    pub(super) fn is_of(self, error: &LockError) -> bool {
        let LockError::Query(DieselError::DatabaseError(_, info)) = error else { return false };
        info.message().contains("~") && info.message().contains(self.sign())
    }
}

/// What is said of a query under SERIALIZABLE.
pub(super) fn of_serializable() -> LockError {
    LockError::Unsupported {
        clause: "a query in a set, a pick or a claim under SERIALIZABLE, on MySQL and MariaDB",
        advice: "a plain read locks rows there, in whatever order, and two such calls would wait for each other: choose READ \
                 COMMITTED for the transaction, or ask for the rows by key",
    }
}
