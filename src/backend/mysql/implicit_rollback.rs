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
//! A claim outside of a transaction sends statements of ours only, so there a question before the change and one before the commit
//! do, whether a transaction is open: two round trips in place of eight.
//!
//! Tried instead: `SET SESSION TRANSACTION READ ONLY` after `BEGIN`, so that what follows is refused. Both servers refuse the
//! second statement after the loss only; the first one still counts as one of the lost transaction, and is committed.

use diesel::{
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use crate::{backend::ImplicitRollback, diesel_internals::Statement, error::LockError};

pub(super) const IMPLICIT_ROLLBACK: ImplicitRollback<Mysql> = ImplicitRollback {
    rolled_back: LockError::is_of_a_lost_transaction,
    may_roll_back: LockError::is_of_a_wait,
    ask: || Statement::new(Text(ROLLS_BACK_ON_TIMEOUT)),
    placeholder,
    arm: (|| Statement::new(Text(ARM)), "SAVEPOINT diesel_lockset"),
    arm_without: ("WSREP_LAST_WRITTEN_GTID", || Statement::new(Text(ARM_WITHOUT))),
    check: "RELEASE SAVEPOINT diesel_lockset",
    ask_cluster: || Statement::new(Text(NOTHING_WRITTEN)),
    check_open: || Statement::new(Text(OPEN)),
    disarm: || Statement::new(Text(DISARM)),
};

/// MariaDB has one error for a wait that took too long and for `NOWAIT`, and rolls back after both.
const ROLLS_BACK_ON_TIMEOUT: &str = "SELECT 1 FROM DUAL WHERE @@innodb_rollback_on_timeout";

/// The last write of the session that its cluster has taken, if there is one: another one comes of a commit only.
const ARM: &str = "SET @diesel_lockset_autocommit = @@autocommit, autocommit = 0\
                   /*M!100400 , @diesel_lockset_written = WSREP_LAST_WRITTEN_GTID() */";

/// For a MariaDB that was built without clusters.
const ARM_WITHOUT: &str = "SET @diesel_lockset_autocommit = @@autocommit, autocommit = 0";

/// A node rolls back what another node's commit collides with, and tells the session with the next command; if it was at the
/// end of a prepared statement then, which has no answer, nobody is told. Seen with MariaDB 10.11.
const NOTHING_WRITTEN: &str = "SELECT 1 FROM DUAL WHERE 0 /*M!100400 OR \
                               (@@wsrep_on AND WSREP_LAST_WRITTEN_GTID() = @diesel_lockset_written) */";

/// Only MariaDB can be asked. A statement that returns rows would not do: if the node's error comes behind the first of them, the
/// client library takes the statement for unread, and waits for ever when it is executed again.
const OPEN: &str = "SET @diesel_lockset_open = 1 /*M! AND IF(@@in_transaction, 1, (SELECT 1 UNION SELECT 2)) */";

const DISARM: &str = "SET autocommit = @diesel_lockset_autocommit";

/// Statement by statement: if a text of several is cancelled between two of them, MariaDB says that there is more to come and
/// never sends it, and the client waits for ever. Seen with 10.11 and 11.8.
fn placeholder(savepoints: u32) -> Vec<String> {
    // First a rollback: `START` would commit what is left of a transaction that was not rolled back after all, as after
    // a 1213 that a procedure has raised.
    let mut statements = vec!["ROLLBACK".to_owned(), "START TRANSACTION READ ONLY".to_owned()];
    statements.extend((1..=savepoints).map(|number| format!("SAVEPOINT diesel_savepoint_{number}")));
    statements
}

/// A statement without values.
struct Text(&'static str);

impl QueryFragment<Mysql> for Text {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        pass.push_sql(self.0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn diesel_finds_its_savepoints() {
        assert_eq!(super::placeholder(0), ["ROLLBACK", "START TRANSACTION READ ONLY"]);
        assert_eq!(super::placeholder(2)[2..], ["SAVEPOINT diesel_savepoint_1", "SAVEPOINT diesel_savepoint_2"]);
    }
}
