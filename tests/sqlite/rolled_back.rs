//! Some errors roll the transaction back, and SQLite goes on in autocommit. From the next call of the crate on, what the closure writes is
//! not committed.

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::{LockDsl, LockError, LockTransaction, PickDsl, RunLockTransaction};

use crate::{
    file::{Account, File, Job, accounts, balance, jobs, number, with_each_journal},
    waiting::account,
};

/// Loses the transaction by an error that the closure swallows.
const LOSE: [(&str, fn(&mut SqliteConnection) -> Result<(), LockError>); 2] = [
    // Diesel's record says that the transaction is still open.
    ("execute", |conn| diesel::sql_query(LOST).execute(conn).map_or(Ok(()), |_| unreachable!())),
    // It says that none is.
    ("batch_execute", |conn| conn.batch_execute(LOST).map_or(Ok(()), |()| unreachable!())),
];

const LOST: &str = "INSERT OR ROLLBACK INTO accounts VALUES (1, 'eve', 0)";

fn change(conn: &mut SqliteConnection) -> Result<(), LockError> {
    assert_eq!(diesel::update(accounts::table.find(1)).set(accounts::balance.eq(99)).execute(conn)?, 1);
    Ok(())
}

fn claim(conn: &mut SqliteConnection, n: u32) -> Result<(), LockError> {
    jobs::table.order(jobs::id).claim(n, jobs::status.eq("bad"), conn).map(|_: Vec<Job>| ())
}

fn is_whole(file: &File, conn: &mut SqliteConnection) {
    assert!(!file.has_writer());
    assert_eq!((balance(conn, 1), number(conn, "SELECT count(*) FROM jobs WHERE status = 'bad'")), (10, 0));
    Account::lock_by_id(1, conn).unwrap_err();
    LockTransaction::new().run(conn, |conn| Account::lock_by_id(1, conn)).unwrap();
}

#[test]
fn what_follows_a_call_of_the_crate_is_rolled_back() {
    let calls: [(&str, fn(&mut SqliteConnection) -> Result<(), LockError>); 6] = [
        ("lock", |conn| Account::lock_by_id(1, conn).map(drop)),
        ("pick", |conn| jobs::table.order(jobs::id).pick_next(conn).map(|_: Option<Job>| ())),
        ("claim 1", |conn| claim(conn, 1)),
        ("claim 2", |conn| claim(conn, 2)),
        ("transaction", |conn| LockTransaction::new().run(conn, change)),
        ("with_lock", |conn| account(1).with_lock(conn, |_, conn| change(conn))),
    ];
    with_each_journal(|file| {
        let conn = &mut file.connect();
        for (how, lose) in LOSE {
            for (name, call) in calls {
                for times in 1..=2 {
                    let run = LockTransaction::new().run(conn, |conn| {
                        lose(conn)?;
                        for _ in 0..times {
                            let refused = call(conn);
                            let told = matches!(refused, Err(LockError::NotInTransaction));
                            assert!(told, "{name} after {how}: {refused:?}");
                            change(conn)?;
                        }
                        conn.transaction(change)?;
                        Ok::<_, LockError>(())
                    });
                    assert!(matches!(run, Err(LockError::Aborted)), "{name} after {how}: {run:?}");
                    is_whole(file, conn);
                }
            }
        }
    });
}

#[test]
fn a_nested_transaction_that_is_lost_is_not_committed_and_neither_is_the_rest_of_the_outer_one() {
    with_each_journal(|file| {
        let conn = &mut file.connect();
        for (how, lose) in LOSE {
            for depth in 1..=3 {
                let run = LockTransaction::new().run(conn, |conn| {
                    let inner = nested(conn, depth, &lose);
                    assert!(matches!(inner, Err(LockError::Aborted)), "{how}: {inner:?}");
                    change(conn)?;
                    Ok::<_, LockError>(())
                });
                assert!(matches!(run, Err(LockError::Aborted)), "{how}: {run:?}");
                is_whole(file, conn);
            }
        }
    });
}

fn nested(
    conn: &mut SqliteConnection,
    depth: u32,
    f: &dyn Fn(&mut SqliteConnection) -> Result<(), LockError>,
) -> Result<(), LockError> {
    LockTransaction::new().run(conn, |conn| if depth == 1 { f(conn) } else { nested(conn, depth - 1, f) })
}

/// The error is that of the trigger, also inside of Diesel's transactions.
#[test]
fn a_claim_that_rolls_back_is_noticed_at_once() {
    with_each_journal(|file| {
        let conn = &mut file.connect();
        conn.batch_execute(
            "CREATE TRIGGER t BEFORE UPDATE ON jobs WHEN new.status = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'not bad'); END",
        )
        .unwrap();
        for n in 1..=2 {
            assert!(claim(conn, n).unwrap_err().to_string().contains("not bad"));
            is_whole(file, conn);
            for depth in 0..3 {
                let run = LockTransaction::new().run(conn, |conn| {
                    change(conn)?;
                    let failed = in_diesels(conn, depth, n).unwrap_err();
                    assert!(failed.to_string().contains("not bad"), "{failed:?}");
                    change(conn)?;
                    Ok::<_, LockError>(())
                });
                assert!(matches!(run, Err(LockError::Aborted)), "{run:?}");
                is_whole(file, conn);
            }
        }
    });
}

fn in_diesels(conn: &mut SqliteConnection, depth: u32, n: u32) -> Result<(), LockError> {
    if depth == 0 { claim(conn, n) } else { conn.transaction(|conn| in_diesels(conn, depth - 1, n)) }
}

/// The crate does not see the end of such a transaction, so it does not begin another one in its place.
#[test]
fn a_transaction_of_diesels_is_left_to_diesel() {
    with_each_journal(|file| {
        let conn = &mut file.connect();
        for (_, lose) in LOSE {
            let run = conn.transaction(|conn| {
                lose(conn)?;
                assert!(matches!(Account::lock_by_id(1, conn), Err(LockError::NotInTransaction)));
                Ok::<_, LockError>(())
            });
            assert!(run.is_err());
            let run = conn.transaction(|conn| nested(conn, 2, &lose));
            assert!(run.is_err(), "{run:?}");
            is_whole(file, conn);
        }
    });
}
