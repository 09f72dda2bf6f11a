//! Transactions of the crate begin as the writer, and wait for it.

use std::{
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

use diesel::{
    connection::SimpleConnection,
    prelude::*,
    r2d2::{ConnectionManager, Pool},
};
use diesel_lockset::{
    Isolation, LockDsl, LockError, LockTransaction, Lockable as _, RunLockSet as _, RunLockTransaction,
};

use crate::{
    file::{Account, Journal, accounts, await_statement, balance, overhear, with_each_journal},
    waiting::account,
};

#[test]
fn a_lock_transaction_is_the_writer_from_its_beginning() {
    with_each_journal(|file| {
        let conn = &mut file.connect();
        let transaction = LockTransaction::new().isolation(Isolation::ReadCommitted);
        transaction
            .run(conn, |conn| {
                assert!(file.has_writer());
                let left = account(1).with_lock(conn, |account, conn| {
                    let left = account.balance - 3;
                    diesel::update(accounts::table.find(1)).set(accounts::balance.eq(left)).execute(conn)?;
                    Ok::<_, LockError>(left)
                })?;
                assert_eq!(left, 7);
                Ok::<_, LockError>(())
            })
            .unwrap();
        assert!(!file.has_writer());
        assert_eq!(balance(conn, 1), 7);
        let failed = account(1).with_lock(conn, |_, conn| {
            diesel::update(accounts::table.find(1)).set(accounts::balance.eq(0)).execute(conn)?;
            Err::<(), _>(LockError::Query(diesel::result::Error::RollbackTransaction))
        });
        assert!(failed.is_err());
        assert_eq!((balance(conn, 1), file.has_writer()), (7, false));
    });
}

/// S02, S03.
#[test]
fn it_waits_for_the_writer_without_a_limit_and_within_one() {
    with_each_journal(|file| {
        let mut writer = file.writer();
        let conn = &mut file.connect();
        let began = Instant::now();
        let limited = LockTransaction::new().deadline(Duration::from_millis(200));
        let error = limited.run(conn, |_| Ok::<_, LockError>(())).unwrap_err();
        assert!(matches!(error.last(), LockError::TimedOut { .. }), "{error:?}");
        assert!(began.elapsed() >= Duration::from_millis(150), "{:?}", began.elapsed());

        conn.batch_execute("PRAGMA busy_timeout = 100").unwrap();
        let error = LockTransaction::new().run(conn, |_| Ok::<_, LockError>(())).unwrap_err();
        assert!(matches!(error, LockError::TimedOut { .. }), "{error:?}");

        conn.batch_execute("PRAGMA busy_timeout = 0").unwrap();
        let statements = overhear(conn);
        thread::scope(|scope| {
            let run = scope.spawn(|| LockTransaction::new().run(conn, |conn| Account::lock_by_id(1, conn)));
            for _ in 0..4 {
                await_statement(&statements, "BEGIN IMMEDIATE");
            }
            writer.batch_execute("UPDATE accounts SET balance = 11 WHERE id = 1; COMMIT").unwrap();
            assert_eq!(run.join().unwrap().unwrap().balance, 11);
        });
    });
}

/// On a rollback journal a transaction cannot commit while others read.
/// S02.
#[test]
fn a_commit_waits_for_readers() {
    with_each_journal(|file| {
        let mut reader = file.connect();
        reader.batch_execute("BEGIN; SELECT * FROM accounts").unwrap();
        balance(&mut reader, 1);
        let conn = &mut file.connect();
        let statements = overhear(conn);
        let (ended, end) = channel();
        thread::scope(|scope| {
            let run = scope.spawn(|| {
                let run = account(1).with_lock(conn, |_, conn| {
                    diesel::update(accounts::table.find(1)).set(accounts::balance.eq(99)).execute(conn)
                });
                ended.send(()).unwrap();
                run
            });
            if file.journal == Journal::Rollback {
                for _ in 0..3 {
                    await_statement(&statements, "COMMIT");
                }
                assert!(end.try_recv().is_err());
            } else {
                end.recv().unwrap();
            }
            assert_eq!(balance(&mut reader, 1), 10);
            reader.batch_execute("COMMIT").unwrap();
            run.join().unwrap().unwrap();
        });
        assert_eq!(balance(conn, 1), 99);
    });
}

#[test]
fn a_transaction_that_has_read_is_run_again() {
    with_each_journal(|file| {
        let conn = &mut file.connect();
        let mut tries = 0;
        // Begun by Diesel: the attempts of the crate are never in this situation.
        loop {
            tries += 1;
            let run = conn.transaction(|conn| {
                balance(conn, 1);
                if tries == 1 {
                    let other = &mut file.connect();
                    other.batch_execute("BEGIN IMMEDIATE; UPDATE accounts SET balance = 12 WHERE id = 1").unwrap();
                    if file.journal == Journal::Wal {
                        other.batch_execute("COMMIT").unwrap();
                    }
                    return account(1).lock(conn);
                }
                account(1).lock(conn)
            });
            match run {
                Err(error) if error.is_retryable() => assert_eq!(tries, 1),
                run => break drop(run.unwrap()),
            }
        }
        assert_eq!(tries, 2);
    });
}

#[test]
fn a_closure_whose_transaction_sqlite_has_rolled_back_is_not_committed() {
    with_each_journal(|file| {
        let conn = &mut file.connect();
        let run = LockTransaction::new().run(conn, |conn| {
            diesel::update(accounts::table.find(1)).set(accounts::balance.eq(99)).execute(conn)?;
            let failed = diesel::sql_query("INSERT OR ROLLBACK INTO accounts VALUES (1, 'eve', 0)").execute(conn);
            assert!(failed.is_err());
            Ok::<_, LockError>(())
        });
        assert!(matches!(run, Err(LockError::Aborted)), "{run:?}");
        assert_eq!(balance(conn, 1), 10);
        account(1).with_lock(conn, |_, _| Ok::<_, LockError>(())).unwrap();
    });
}

#[test]
fn a_panic_rolls_back() {
    with_each_journal(|file| {
        let conn = &mut file.connect();
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            account(1).with_lock(conn, |_, conn| {
                diesel::update(accounts::table.find(1)).set(accounts::balance.eq(99)).execute(conn)?;
                assert!(file.has_writer());
                panic!("on purpose");
                #[allow(unreachable_code)]
                Ok::<_, LockError>(())
            })
        }));
        assert!(run.is_err() && !file.has_writer());
        assert_eq!(balance(conn, 1), 10);
    });
}

#[test]
fn pooled_connections_are_given_back_as_they_were() {
    with_each_journal(|file| {
        let manager = ConnectionManager::<SqliteConnection>::new(file.path());
        let pool = Pool::builder().max_size(1).build(manager).unwrap();
        for i in 1..=3 {
            let conn = &mut pool.get().unwrap();
            let left = account(1).with_lock(conn, |account, conn| {
                diesel::update(accounts::table.find(1)).set(accounts::balance.eq(account.balance + 1)).execute(conn)?;
                Ok::<_, LockError>(account.balance + 1)
            });
            assert_eq!(left.unwrap(), 10 + i);
            let rows = conn.transaction(|conn| account(2).timeout(Duration::from_secs(1)).lock(conn));
            assert_eq!(rows.unwrap().balance, 20);
        }
        assert_eq!(pool.state().connections, 1);
    });
}
