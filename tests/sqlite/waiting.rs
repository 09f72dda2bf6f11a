//! A transaction that locks waits for the writer, becomes the writer, and reads the rows as they are then.

use std::{
    thread,
    time::{Duration, Instant},
};

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::{LockDsl, LockError, LockSet, Lockable as _, RunLockSet};

use crate::file::{Account, Journal, accounts, await_statement, balance, busy_timeout, overhear, with_each_journal};

/// B06, S01.
#[test]
fn a_lock_makes_the_transaction_the_writer_until_it_ends() {
    with_each_journal(|file| {
        let conn = &mut file.connect();
        conn.transaction(|conn| {
            assert!(!file.has_writer());
            assert_eq!(Account::lock_by_id(2, conn)?.balance, 20);
            assert!(file.has_writer());
            assert_eq!(Account::lock_by_id(1, conn)?.owner, "ada");
            Ok::<_, LockError>(())
        })
        .unwrap();
        assert!(!file.has_writer());
        assert!(matches!(Account::lock_by_id(1, conn), Err(LockError::NotInTransaction)));
    });
}

/// S02.
#[test]
fn after_a_wait_the_row_is_as_the_other_writer_left_it() {
    with_each_journal(|file| {
        for own_timeout in [0, 60_000] {
            let mut writer = file.writer();
            let before = balance(&mut writer, 1);
            writer.batch_execute("UPDATE accounts SET balance = balance + 1 WHERE id = 1").unwrap();
            let mut conn = file.connect();
            conn.batch_execute(&format!("PRAGMA busy_timeout = {own_timeout}")).unwrap();
            let statements = overhear(&mut conn);
            let locker = thread::spawn(move || {
                let locked = conn.transaction(|conn| Account::lock_by_id(1, conn));
                (locked, busy_timeout(&mut conn))
            });
            await_statement(&statements, "DELETE FROM `accounts`");
            if own_timeout == 0 {
                // It has failed once by itself, and waits now.
                await_statement(&statements, "DELETE FROM `accounts`");
            }
            assert!(!locker.is_finished());
            writer.batch_execute("COMMIT").unwrap();
            let (locked, timeout) = locker.join().unwrap();
            assert_eq!((locked.unwrap().balance, timeout), (before + 1, own_timeout));
        }
    });
}

/// What it has read is out of date as soon as another transaction commits, and on a rollback journal that cannot commit before this one
/// ends. So it is run again in both cases, and does not wait.
/// S02.
#[test]
fn a_transaction_that_has_read_cannot_wait() {
    with_each_journal(|file| {
        let mut writer = file.writer();
        let conn = &mut file.connect();
        let wait: [fn(&mut SqliteConnection) -> Result<Account, LockError>; 3] = [
            |conn| Account::lock_by_id(1, conn),
            |conn| account(1).no_wait().lock(conn),
            |conn| account(1).timeout(Duration::from_secs(60)).lock(conn),
        ];
        for lock in wait {
            conn.batch_execute("PRAGMA busy_timeout = 40000").unwrap();
            let refused = conn.transaction(|conn| {
                assert_eq!(balance(conn, 1), 10);
                lock(conn)
            });
            let error = refused.unwrap_err();
            assert!(matches!(error, LockError::Serialization { .. }), "{error:?}");
            assert!(error.is_retryable() && error.transaction_is_lost());
            assert_eq!(busy_timeout(conn), 40_000);
        }
        writer.batch_execute("ROLLBACK").unwrap();
        conn.transaction(|conn| {
            balance(conn, 1);
            Account::lock_by_id(1, conn)
        })
        .unwrap();
    });
}

/// O05, S02.
#[test]
fn an_old_snapshot_is_not_locked() {
    with_each_journal(|file| {
        if file.journal == Journal::Rollback {
            return; // nobody commits while it reads
        }
        let conn = &mut file.connect();
        for no_wait in [false, true] {
            let refused = conn.transaction(|conn| {
                let seen = balance(conn, 1);
                diesel::update(accounts::table.find(1))
                    .set(accounts::balance.eq(accounts::balance + 1))
                    .execute(&mut file.connect())?;
                assert_eq!(balance(conn, 1), seen);
                if no_wait { account(1).no_wait().lock(conn) } else { account(1).lock(conn) }
            });
            assert!(matches!(refused, Err(LockError::Serialization { .. })), "{refused:?}");
        }
    });
}

/// S03.
#[test]
fn a_timeout_ends_the_wait_and_the_transaction_goes_on() {
    with_each_journal(|file| {
        let mut writer = file.writer();
        let conn = &mut file.connect();
        for own_timeout in [0, 150, 60_000] {
            conn.batch_execute(&format!("PRAGMA busy_timeout = {own_timeout}")).unwrap();
            conn.transaction(|conn| {
                let began = Instant::now();
                let error = account(1).timeout(Duration::from_millis(300)).lock(conn).unwrap_err();
                let least = if own_timeout == 150 { 150 } else { 300 };
                assert!(began.elapsed() >= Duration::from_millis(least));
                let LockError::TimedOut { attempt: Some(attempt), .. } = &error else { panic!("{error:?}") };
                assert_eq!(attempt.rows()[0].to_string(), "Account 1");
                assert!(!error.transaction_is_lost() && error.is_contended());
                assert_eq!(busy_timeout(conn), own_timeout);
                assert_eq!(balance(conn, 2), 20);
                Ok::<_, LockError>(())
            })
            .unwrap();
        }
        writer.batch_execute("ROLLBACK").unwrap();
        conn.transaction(|conn| account(1).timeout(Duration::from_millis(300)).lock(conn)).unwrap();
        assert_eq!(busy_timeout(conn), 60_000);
    });
}

/// The connection's own limit holds, as that of a server does.
/// S03.
#[test]
fn without_a_timeout_that_of_the_connection_holds() {
    with_each_journal(|file| {
        let _writer = file.writer();
        let conn = &mut file.connect();
        conn.batch_execute("PRAGMA busy_timeout = 100").unwrap();
        let began = Instant::now();
        let error = conn.transaction(|conn| account(1).lock(conn)).unwrap_err();
        assert!(matches!(error, LockError::TimedOut { .. }), "{error:?}");
        assert!(began.elapsed() >= Duration::from_millis(100));
    });
}

#[test]
fn who_is_told_not_to_wait_learns_which_rows_are_held() {
    with_each_journal(|file| {
        let mut writer = file.writer();
        let conn = &mut file.connect();
        conn.batch_execute("PRAGMA busy_timeout = 60000").unwrap();
        conn.transaction(|conn| {
            let error = LockSet::new().ids::<Account>([2, 1]).no_wait().lock(conn).unwrap_err();
            let LockError::Contended { rows, .. } = &error else { panic!("{error:?}") };
            assert_eq!(rows.iter().map(ToString::to_string).collect::<Vec<_>>(), ["Account 2", "Account 1"]);
            assert_eq!(busy_timeout(conn), 60_000);
            writer.batch_execute("UPDATE accounts SET balance = 11 WHERE id = 1; COMMIT").unwrap();
            let locked = LockSet::new().ids::<Account>([2, 1]).no_wait().lock(conn)?;
            assert_eq!(locked.id::<Account>(1)?.balance, 11);
            assert_eq!(busy_timeout(conn), 60_000);
            Ok::<_, LockError>(())
        })
        .unwrap();
    });
}

pub(crate) fn account(id: i32) -> Account {
    Account { id, owner: String::new(), balance: 0 }
}
