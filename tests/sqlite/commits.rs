//! A `COMMIT` that meets readers is repeated, up to the limit of the transaction or of the connection.

use std::time::{Duration, Instant};

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::{LockDsl, LockError, LockTransaction, RunLockTransaction};

use crate::{
    file::{File, Journal, accounts, balance, overhear},
    waiting::account,
};

fn change(conn: &mut SqliteConnection) -> Result<(), LockError> {
    diesel::update(accounts::table.find(1)).set(accounts::balance.eq(99)).execute(conn)?;
    Ok(())
}

/// On a rollback journal a transaction cannot commit while others read.
/// S03.
#[test]
fn when_the_time_is_up_it_is_a_timeout_and_nothing_is_kept() {
    let file = File::new(Journal::Rollback);
    let mut reader = file.connect();
    reader.batch_execute("BEGIN; SELECT * FROM accounts").unwrap();
    assert_eq!(balance(&mut reader, 1), 10);
    let conn = &mut file.connect();
    for (own_timeout, deadline) in [(0, Some(200)), (200, None)] {
        conn.batch_execute(&format!("PRAGMA busy_timeout = {own_timeout}")).unwrap();
        let limited = LockTransaction::new();
        let limited = deadline.map_or(limited, |limit| limited.deadline(Duration::from_millis(limit)));
        let statements = overhear(conn);
        let (began, mut calls) = (Instant::now(), 0);
        let error = limited
            .run(conn, |conn| {
                calls += 1;
                change(conn)
            })
            .unwrap_err();
        assert!(began.elapsed() >= Duration::from_millis(150), "{:?}", began.elapsed());
        assert!(matches!(error.last(), LockError::TimedOut { .. }), "{error:?}");
        assert!(!error.to_string().contains("database is locked"), "{error}");
        assert_eq!(calls, 1);
        let commits = statements.try_iter().filter(|sent| sent == "COMMIT").count();
        assert!(commits > usize::from(own_timeout == 0), "{commits} times");
        assert_eq!((balance(conn, 1), file.has_writer()), (10, false));
    }
    // The reader is done: the same connection works.
    reader.batch_execute("COMMIT").unwrap();
    LockTransaction::new().run(conn, change).unwrap();
    assert_eq!(balance(conn, 1), 99);
}

/// The transaction of the attempt is never such a one; a connection inside of the closure may be.
/// O05, S02.
#[test]
fn what_is_too_old_to_be_locked_is_run_again() {
    for journal in [Journal::Rollback, Journal::Wal] {
        let file = File::new(journal);
        let (conn, mut tries) = (&mut file.connect(), 0);
        let outer = &mut SqliteConnection::establish(":memory:").unwrap();
        let locked = LockTransaction::new().run(outer, |_| {
            tries += 1;
            conn.transaction(|conn| {
                balance(conn, 1);
                let mut writer = (tries == 1).then(|| file.writer());
                if let (Some(writer), Journal::Wal) = (&mut writer, journal) {
                    writer.batch_execute("UPDATE accounts SET balance = 11 WHERE id = 1; COMMIT").unwrap();
                }
                account(1).lock(conn)
            })
        });
        let expected = if journal == Journal::Wal { 11 } else { 10 };
        assert_eq!((locked.unwrap().balance, tries), (expected, 2), "{journal:?}");
    }
}
