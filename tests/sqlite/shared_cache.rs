//! Connections that share a cache do not wait for each other: SQLite calls no busy handler for them.

use std::{
    thread,
    time::{Duration, Instant},
};

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::{LockDsl, LockError, LockSet, LockTransaction, Lockable as _, RunLockSet, RunLockTransaction};

use crate::{
    file::{Account, FIXTURES, accounts, balance, busy_timeout},
    waiting::account,
};

/// A connection to a database in memory that others of this name share.
fn connect(name: &str) -> SqliteConnection {
    SqliteConnection::establish(&format!("file:{name}?mode=memory&cache=shared")).unwrap()
}

#[test]
fn a_lock_transaction_waits_for_the_writer_within_the_limit_of_the_connection() {
    let keep = &mut connect("threads");
    keep.batch_execute(FIXTURES).unwrap();
    for own_timeout in [0, 20_000] {
        let before = balance(keep, 1);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(move || {
                    let conn = &mut connect("threads");
                    conn.batch_execute(&format!("PRAGMA busy_timeout = {own_timeout}")).unwrap();
                    for _ in 0..50 {
                        let run = LockTransaction::new().run(conn, |conn| {
                            let locked = LockSet::new().ids::<Account>([1, 2]).lock(conn)?;
                            let balance = locked.id::<Account>(1)?.balance + 1;
                            diesel::update(accounts::table.find(1)).set(accounts::balance.eq(balance)).execute(conn)?;
                            Ok::<_, LockError>(())
                        });
                        run.unwrap();
                    }
                });
            }
        });
        assert_eq!(balance(keep, 1), before + 200);
    }
}

#[test]
fn it_gives_up_when_the_limit_is_over_and_not_before() {
    let writer = &mut connect("limit");
    writer.batch_execute(FIXTURES).unwrap();
    writer.batch_execute("BEGIN IMMEDIATE").unwrap();
    let conn = &mut connect("limit");
    for own_timeout in [0, 150] {
        conn.batch_execute(&format!("PRAGMA busy_timeout = {own_timeout}")).unwrap();
        let began = Instant::now();
        let limited = LockTransaction::new().deadline(Duration::from_millis(400));
        let error = limited.run(conn, |conn| Account::lock_by_id(1, conn)).unwrap_err();
        assert!(matches!(error.last(), LockError::TimedOut { .. }), "{error:?}");
        let least = if own_timeout == 0 { 350 } else { 150 };
        assert!(began.elapsed() >= Duration::from_millis(least), "{:?}", began.elapsed());
    }
}

/// A transaction that has read nothing is not told that it has.
#[test]
fn a_lock_in_a_transaction_that_is_not_the_writer_does_not_wait() {
    let writer = &mut connect("deferred");
    writer.batch_execute(FIXTURES).unwrap();
    writer.batch_execute("BEGIN IMMEDIATE; UPDATE accounts SET balance = 11 WHERE id = 1").unwrap();
    let conn = &mut connect("deferred");
    for own_timeout in [0, 60_000] {
        conn.batch_execute(&format!("PRAGMA busy_timeout = {own_timeout}")).unwrap();
        let held = conn.transaction(|conn| account(1).no_wait().lock(conn)).unwrap_err();
        assert!(held.to_string().starts_with("Account 1 is held by another transaction"), "{held}");
        let waits: [fn(&mut SqliteConnection) -> Result<Account, LockError>; 2] =
            [|conn| Account::lock_by_id(1, conn), |conn| account(1).timeout(Duration::from_secs(60)).lock(conn)];
        for lock in waits {
            let error = conn.transaction(lock).unwrap_err();
            let LockError::Serialization { source, .. } = &error else { panic!("{error:?}") };
            assert!(source.to_string().contains("shared cache"), "{source}");
            assert!(error.is_retryable());
            assert_eq!(busy_timeout(conn), own_timeout);
        }
    }
    writer.batch_execute("COMMIT").unwrap();
    assert_eq!(conn.transaction(|conn| Account::lock_by_id(1, conn)).unwrap().balance, 11);
}
