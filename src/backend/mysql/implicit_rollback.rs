//! Implicit rollback: the statements that detect it, and that keep the connection out of autocommit after it.
//!
//! The server rolls a transaction back by itself after a deadlock (1213), after a row that is not as the snapshot has it (1020, MariaDB),
//! and, with `innodb_rollback_on_timeout`, also after a timeout (1205). The savepoints are gone then, and the server goes on in autocommit:
//! the next writes of the closure are committed at once, as half of a transaction.
//!
//! If a statement of this crate fails with such an error, a transaction that takes no writes replaces the lost one. It has the savepoints
//! that Diesel will roll back to.
//!
//! The crate does not see the other statements of a transaction. So a transaction that it begins runs with `autocommit` off: the statements
//! after an implicit rollback run in another transaction. It also begins with a savepoint, which is missing if the transaction that is
//! about to be committed is that other one.
//!
//! A claim outside of a transaction sends only statements of this crate. There it is enough that its change and its commit fail if no
//! transaction is open, which costs no round trip.
//!
//! Tried instead: `SET SESSION TRANSACTION READ ONLY` after `BEGIN`, so that later statements are refused. Both servers refuse only the
//! second statement after the implicit rollback. The first one still counts as a statement of the lost transaction, and is committed.

use diesel::mysql::Mysql;

use super::control::TextOnly;
use crate::{backend::ImplicitRollback, diesel_internals::Statement, error::LockError};

/// The statements that detect an implicit rollback and recover from it.
pub(super) const IMPLICIT_ROLLBACK: ImplicitRollback<Mysql> = ImplicitRollback {
    rolled_back: LockError::is_of_a_lost_transaction,
    may_roll_back: LockError::is_of_a_wait,
    ask: || Statement::new(TextOnly(ROLLS_BACK_ON_TIMEOUT.into())),
    placeholder,
    arm: (|| Statement::new(TextOnly(ARM.into())), "SAVEPOINT diesel_lockset"),
    arm_without: ("WSREP_LAST_WRITTEN_GTID", || Statement::new(TextOnly(ARM_WITHOUT.into()))),
    check: "RELEASE SAVEPOINT diesel_lockset",
    ask_cluster: || Statement::new(TextOnly(NOTHING_WRITTEN.into())),
    check_open: || Statement::new(TextOnly(OPEN.into())),
    disarm: || Statement::new(TextOnly(DISARM.into())),
};

/// Asks whether the server rolls back after a lock wait timeout. MariaDB has one error for a timeout and for `NOWAIT`, and rolls back after
/// both.
const ROLLS_BACK_ON_TIMEOUT: &str = "SELECT 1 FROM DUAL WHERE @@innodb_rollback_on_timeout";

/// Switches `autocommit` off, and keeps its earlier value. A value that is kept already stays: the transaction that has kept it was ended by
/// its closure, which then began this one. On MariaDB it also keeps the GTID of the session's last write that the cluster
/// has taken, if there is one. That GTID changes only with a commit.
const ARM: &str = "SET @diesel_lockset_autocommit = COALESCE(@diesel_lockset_autocommit, @@autocommit), autocommit = 0\
                   /*M!100400 , @diesel_lockset_written = WSREP_LAST_WRITTEN_GTID() */";

/// Switches `autocommit` off on a MariaDB that was built without clusters.
const ARM_WITHOUT: &str =
    "SET @diesel_lockset_autocommit = COALESCE(@diesel_lockset_autocommit, @@autocommit), autocommit = 0";

/// Asks whether the session is on a cluster and has committed nothing since [`ARM`].
///
/// A node rolls back a transaction that collides with another node's commit, and reports this with the session's next command. If that
/// command closes a prepared statement, which has no answer, the rollback is not reported. Seen with MariaDB 10.11.
const NOTHING_WRITTEN: &str = "SELECT 1 FROM DUAL WHERE 0 /*M!100400 OR \
                               (@@wsrep_on AND WSREP_LAST_WRITTEN_GTID() = @diesel_lockset_written) */";

/// Fails on MariaDB if no transaction is open; MySQL cannot be asked. A statement that returns rows is not enough: if the node's error
/// comes after the first row, the client library takes the statement for unread, and waits for ever when it is executed again.
const OPEN: &str = "SET @diesel_lockset_open = 1 /*M! AND IF(@@in_transaction, 1, (SELECT 1 UNION SELECT 2)) */";

/// Restores `autocommit`, and forgets the isolation level of the transaction.
const DISARM: &str = "SET autocommit = COALESCE(@diesel_lockset_autocommit, @@autocommit), @diesel_lockset_autocommit = NULL, \
     @diesel_lockset_isolation = NULL";

/// Returns the statements that replace the lost transaction. They are sent one by one: if a text of several statements is cancelled between
/// two of them, MariaDB announces another result and never sends it, and the client waits for ever. Seen with 10.11 and 11.8.
fn placeholder(savepoints: u32) -> Vec<String> {
    // The rollback comes first, since `START` would commit the rest of a transaction that was not rolled back after all, as after a 1213
    // that a procedure has raised.
    let mut statements = vec!["ROLLBACK".to_owned(), "START TRANSACTION READ ONLY".to_owned()];
    statements.extend((1..=savepoints).map(|number| format!("SAVEPOINT diesel_savepoint_{number}")));
    statements
}

#[cfg(test)]
mod tests {
    #[test]
    fn diesel_finds_its_savepoints() {
        assert_eq!(super::placeholder(0), ["ROLLBACK", "START TRANSACTION READ ONLY"]);
        assert_eq!(super::placeholder(2)[2..], ["SAVEPOINT diesel_savepoint_1", "SAVEPOINT diesel_savepoint_2"]);
    }
}
