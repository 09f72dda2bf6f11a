//! Tests of the classification: messages of the servers, and texts that resemble them.

use super::*;

fn server_says(message: &str) -> DieselError {
    DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned()))
}

#[test]
fn every_language_is_understood() {
    for message in postgres::LOCK_TIMEOUT {
        assert!(matches!(locking_statement(server_says(message)), LockError::TimedOut { .. }), "{message}");
    }
    for message in postgres::LOCK_NOT_AVAILABLE {
        let message = message.replace("%s", "accounts");
        assert!(matches!(locking_statement(server_says(&message)), LockError::Contended { .. }), "{message}");
    }
    for message in postgres::CANCELED {
        assert!(matches!(locking_statement(server_says(message)), LockError::Canceled { .. }), "{message}");
    }
    for message in postgres::ENDED {
        assert!(matches!(any_statement(server_says(message)), LockError::ConnectionLost(_)), "{message}");
    }
}

/// `tokio-postgres` has one kind of error for a lost connection and for a statement that cannot be written down.
#[test]
fn what_was_not_sent_is_not_lost() {
    let said = |message: &str| {
        let message = message.replace("%s", "value too large to transmit");
        DieselError::DatabaseError(DatabaseErrorKind::UnableToSendCommand, Box::new(message))
    };
    for message in postgres::LOST {
        assert!(matches!(any_statement(said(message)), LockError::ConnectionLost(_)), "{message}");
        assert!(may_be_committed(&said(message)), "{message}");
    }
    for message in postgres::NOT_SENT {
        assert!(matches!(any_statement(said(message)), LockError::Query(_)), "{message}");
        assert!(!may_be_committed(&said(message)), "{message}");
    }
}

#[test]
fn every_language_of_the_mysql_family_is_understood() {
    let said = |message: &str| server_says(&message.replace("%s", "accounts"));
    for message in mysql::DEADLOCK {
        let prepared =
            DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, Box::new((*message).to_owned()));
        assert!(matches!(any_statement(prepared), LockError::Deadlock { .. }), "{message}");
        assert!(matches!(any_statement(said(message)), LockError::Deadlock { .. }), "{message}");
        assert!(is_retryable(&said(message)), "{message}");
    }
    for message in mysql::CHANGED {
        assert!(matches!(any_statement(said(message)), LockError::Serialization { .. }), "{message}");
        assert!(is_retryable(&said(message)), "{message}");
    }
    for message in mysql::LOST.iter().chain(mysql::LOST_NOW) {
        assert!(matches!(any_statement(said(message)), LockError::ConnectionLost(_)), "{message}");
    }
    for message in mysql::READ_ONLY {
        assert!(matches!(any_statement(said(message)), LockError::ReadOnly(_)), "{message}");
    }
    for message in mysql::LOCK_TIMEOUT {
        assert!(matches!(locking_statement(said(message)), LockError::TimedOut { .. }), "{message}");
    }
    for message in mysql::NO_WAIT {
        assert!(matches!(locking_statement(said(message)), LockError::Contended { .. }), "{message}");
    }
    for message in mysql::CANCELED {
        assert!(matches!(locking_statement(said(message)), LockError::Canceled { .. }), "{message}");
    }
    for message in mysql::USER_LOCK_DEADLOCK {
        assert!(matches!(locking_statement(said(message)), LockError::Deadlock { .. }), "{message}");
    }
}

#[test]
fn what_cannot_be_locked_is_understood_in_every_language() {
    for (messages, reason, table) in [
        (postgres::MATERIALIZED_VIEW, LockObstacle::NotATable, "accounts"),
        (postgres::NO_PRIVILEGE, LockObstacle::Privilege, "accounts"),
        (mysql::NO_PRIMARY_KEY, LockObstacle::NoPrimaryKey, "accounts"),
    ] {
        for message in messages {
            let error = locking_statement(server_says(&message.replace("%s", "accounts")));
            let LockError::NotLockable { reason: is, table: named, .. } = &error else {
                panic!("{message}: {error:?}")
            };
            assert_eq!((is, named.as_str()), (&reason, table), "{message}");
            assert!(!error.is_retryable() && !error.is_contended());
        }
    }
}

#[test]
fn a_commit_is_unknown_unless_the_server_says_otherwise() {
    let ended =
        |message: &str| DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, Box::new(message.to_owned()));
    let unsent = DieselError::DatabaseError(DatabaseErrorKind::UnableToSendCommand, Box::new("no".to_owned()));
    assert!(may_be_committed(&ended("terminating connection due to administrator command")));
    assert!(!may_be_committed(&unsent) && !may_be_committed(&DieselError::BrokenTransactionManager));
    let unknown =
        [mysql::LOST, mysql::LOST_NOW, mysql::CANCELED, mysql::DURING_COMMIT, postgres::CANCELED, postgres::ENDED];
    for message in unknown.into_iter().flatten() {
        let error = server_says(&message.replace("%s", "6 \"No such device or address\""));
        assert!(may_be_committed(&error), "{message}");
        let rollback_error = Box::new(server_says("Server has gone away"));
        assert!(may_be_committed(&DieselError::RollbackErrorOnCommit {
            rollback_error,
            commit_error: Box::new(error)
        }));
    }
    let refused = [mysql::DEADLOCK, mysql::CHANGED, mysql::LOCK_TIMEOUT, mysql::READ_ONLY];
    for message in refused.into_iter().flatten() {
        assert!(!may_be_committed(&server_says(message)), "{message}");
    }
}

#[test]
fn no_message_is_in_two_lists() {
    let lists = [
        postgres::DEADLOCK,
        postgres::SERIALIZATION,
        postgres::LOCK_TIMEOUT,
        postgres::LOCK_NOT_AVAILABLE,
        postgres::CANCELED,
        postgres::MATERIALIZED_VIEW,
        postgres::NO_PRIVILEGE,
        postgres::ENDED,
        postgres::LOST,
        mysql::DEADLOCK,
        mysql::CHANGED,
        mysql::READ_ONLY,
        mysql::LOST,
        mysql::LOST_NOW,
        mysql::DURING_COMMIT,
        mysql::LOCK_TIMEOUT,
        mysql::NO_WAIT,
        mysql::USER_LOCK_DEADLOCK,
        mysql::CANCELED,
        mysql::NO_PRIMARY_KEY,
    ];
    for message in lists.into_iter().flatten() {
        let DieselError::DatabaseError(_, info) = server_says(&message.replace("%s", "accounts")) else { panic!() };
        assert_eq!(lists.iter().filter(|list| is(list, &*info)).count(), 1, "{message}");
    }
}

#[test]
fn what_undoes_only_the_statement_does_not_lose_the_transaction() {
    let lost = |message: &str| locking_statement(server_says(message)).transaction_is_lost();
    for message in mysql::OF_THE_STATEMENT.into_iter().flatten() {
        assert!(!lost(message), "{message}");
        assert!(!any_statement(server_says(message)).transaction_is_lost(), "{message}");
    }
    for message in mysql::DEADLOCK.iter().chain(mysql::CHANGED).chain(mysql::LOST).chain(postgres::LOCK_TIMEOUT) {
        assert!(lost(&message.replace("%s", "accounts")), "{message}");
    }
}

#[test]
fn a_circle_is_told_from_prose() {
    let server = "Process 71 waits for ShareLock on transaction 90; blocked by process 82.\n\
                  Process 82 waits for ShareLock on transaction 91; blocked by process 71.";
    assert!(reports_a_circle(server));
    let japanese = "プロセス 71 は ShareLock を トランザクション 90 で待機しています; プロセス 82 でブロックされています。\n\
                    プロセス 82 は ShareLock を トランザクション 91 で待機しています; プロセス 71 でブロックされています。";
    assert!(reports_a_circle(japanese));
    assert!(!reports_a_circle("Process 7 of the assembly line waits."));
    assert!(!reports_a_circle("Two carts want lamp 3.\nRestock 4."));
}

#[test]
fn words_inside_of_other_words_mean_nothing() {
    for message in [
        "job 7 failed: deadlock detected",
        "canceling statement due to lock timeout (said a procedure)",
        "could not obtain lock on row in relation \"\"",
        "could not obtain lock on row in relation",
        "Duplicate entry 'Lock wait timeout exceeded; try restarting transaction' for key 'PRIMARY'",
        "Duplicate entry 'Deadlock found when trying to get lock; try restarting transaction' for key 'PRIMARY'",
        "Duplicate entry 'Record has changed since last read in table 'accounts'' for key 'PRIMARY'",
        "Duplicate entry 'S' for key 'PRIMARY'",
        "Record has changed since last read in table ''",
        "Duplicate entry '1' for key 'PRIMARY'",
        "TABLESAMPLE clause can only be applied to tables and materialized views", // without a position in the statement text
    ] {
        assert!(matches!(locking_statement(server_says(message)), LockError::Query(_)), "{message}");
    }
}

#[test]
fn words_that_anybody_can_raise_are_not_believed_of_any_statement() {
    for message in [
        postgres::DEADLOCK[0],
        postgres::LOCK_TIMEOUT[0],
        postgres::CANCELED[0],
        mysql::LOCK_TIMEOUT[0],
        mysql::NO_WAIT[0],
        mysql::CANCELED[0],
    ] {
        assert!(matches!(any_statement(server_says(message)), LockError::Query(_)), "{message}");
    }
}
