//! A transaction that the server has rolled back by itself: after a deadlock (1213), a row that is not as the snapshot has it
//! (1020, MariaDB), with `innodb_rollback_on_timeout` also a timeout (1205).
//!
//! The savepoints are gone then, and the server goes on in autocommit: whatever the closure writes next is committed at once,
//! half of a transaction. After an error of a statement of ours a transaction that takes no writes comes into its place, with
//! the savepoints that Diesel will want to roll back to.
//!
//! Statements that are not ours are not seen. So a transaction that we begin runs with `autocommit` off: what follows its loss
//! lands in another transaction. And it begins with a savepoint, which is gone if that is what is about to be committed.
//!
//! Tried instead: `SET SESSION TRANSACTION READ ONLY` after `BEGIN`, so that what follows is refused. Both servers refuse the
//! second statement after the loss only; the first one still counts as one of the lost transaction, and is committed.

use diesel::{
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use crate::{backend::Rescue, diesel_internals::Statement, error::LockError};

pub(super) const RESCUE: Rescue<Mysql> = Rescue {
    rolled_back: LockError::is_of_a_lost_transaction,
    may_roll_back: LockError::is_of_a_wait,
    ask: || Statement::new(RollsBackOnTimeout),
    fence,
    arm: (|| Statement::new(Arm), "SAVEPOINT diesel_lockset"),
    check: "RELEASE SAVEPOINT diesel_lockset",
    disarm: || Statement::new(Disarm),
};

/// Statement by statement: if a text of several is cancelled between two of them, MariaDB says that there is more to come and
/// never sends it, and the client waits for ever. Seen with 10.11 and 11.8.
fn fence(savepoints: u32) -> Vec<String> {
    // First a rollback: `START` would commit what is left of a transaction that was not rolled back after all, as after
    // a 1213 that a procedure has raised.
    let mut statements = vec!["ROLLBACK".to_owned(), "START TRANSACTION READ ONLY".to_owned()];
    statements.extend((1..=savepoints).map(|number| format!("SAVEPOINT diesel_savepoint_{number}")));
    statements
}

/// MariaDB has one error for a wait that took too long and for `NOWAIT`, and rolls back after both.
struct RollsBackOnTimeout;

impl QueryFragment<Mysql> for RollsBackOnTimeout {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        pass.push_sql("SELECT 1 FROM DUAL WHERE @@innodb_rollback_on_timeout");
        Ok(())
    }
}

struct Arm;

impl QueryFragment<Mysql> for Arm {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        pass.push_sql("SET @diesel_lockset_autocommit = @@autocommit, autocommit = 0");
        Ok(())
    }
}

struct Disarm;

impl QueryFragment<Mysql> for Disarm {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        pass.push_sql("SET autocommit = @diesel_lockset_autocommit");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn diesel_finds_its_savepoints() {
        assert_eq!(super::fence(0), ["ROLLBACK", "START TRANSACTION READ ONLY"]);
        assert_eq!(super::fence(2)[2..], ["SAVEPOINT diesel_savepoint_1", "SAVEPOINT diesel_savepoint_2"]);
    }
}
