//! A transaction that another node's commit has killed between two of its statements, before it knows.

use diesel::{MysqlConnection, connection::SimpleConnection as _, prelude::*, result::Error as DieselError, sql_query};
use diesel_lockset::{
    AdvisoryLock, LockDsl, LockError, LockSet, LockTransaction, RunAdvisoryLock, RunLockSet, RunLockTransaction,
};

use crate::{
    nodes::{Cluster, number},
    transfers::{Account, accounts},
};

/// Another node changes account 1, and this one has learned of it.
fn kill(cluster: &Cluster) {
    let balance = "SELECT balance FROM accounts WHERE id = 1";
    let before = number(&mut cluster.node(0), balance);
    sql_query("UPDATE accounts SET balance = balance + 1 WHERE id = 1").execute(&mut cluster.node(1)).unwrap();
    cluster.wait_for(0, balance, before + 1);
}

fn one(conn: &mut MysqlConnection) -> Result<(), LockError> {
    LockSet::new().id::<Account>(1).lock(conn).map(drop)
}

type Step = fn(&mut MysqlConnection) -> Result<(), LockError>;

/// What the closure does next.
const NEXT: [(&str, Step); 6] = [
    ("nothing", |_| Ok(())),
    ("a statement", |conn| Ok(sql_query("UPDATE accounts SET balance = 5 WHERE id = 5").execute(conn).map(drop)?)),
    ("a batch", |conn| Ok(conn.batch_execute("UPDATE accounts SET balance = 5 WHERE id = 5")?)),
    ("a set", one),
    ("a set with holders", |conn| LockSet::new().id::<Account>(2).name_holders().lock(conn).map(drop)),
    ("a nested transaction", |conn| conn.transaction(|conn| one(conn))),
];

/// Runs a transaction that is killed at its first try.
fn killed_once(cluster: &Cluster, next: Step) -> (Result<(), LockError>, usize) {
    let (mut conn, mut tries) = (cluster.node(0), 0);
    let done = LockTransaction::new().run(&mut conn, |conn| {
        tries += 1;
        one(conn)?;
        if tries == 1 {
            kill(cluster);
        }
        next(conn)
    });
    assert_eq!(number(&mut conn, "SELECT @@autocommit"), 1);
    (done, tries)
}

#[test]
fn it_is_run_again_whatever_comes_next() {
    let cluster = accounts();
    for (name, next) in NEXT {
        let (done, tries) = killed_once(&cluster, next);
        assert!(done.is_ok(), "{name}: {done:?}");
        assert_eq!(tries, 2, "{name}");
    }
}

#[test]
fn without_retries_it_is_a_deadlock_and_never_ok() {
    let cluster = accounts();
    for (name, next) in NEXT {
        let account = Account { id: 1, balance: 0 };
        let calls: [(&str, &dyn Fn(&mut MysqlConnection) -> Result<(), LockError>); 4] = [
            ("with_lock", &|conn| {
                account.with_lock(conn, |_, conn| {
                    kill(&cluster);
                    next(conn)
                })
            }),
            ("with_lock in Diesel's transaction", &|conn| {
                conn.transaction(|conn| {
                    account.with_lock(conn, |_, conn| {
                        kill(&cluster);
                        next(conn)
                    })
                })
            }),
            ("a set in Diesel's transaction", &|conn| {
                conn.transaction(|conn| {
                    one(conn)?;
                    kill(&cluster);
                    next(conn)
                })
            }),
            ("hold", &|conn| {
                AdvisoryLock::named("a name").hold(conn, |conn| {
                    one(conn)?;
                    kill(&cluster);
                    next(conn)
                })
            }),
        ];
        for (call, run) in calls {
            let mut conn = cluster.node(0);
            let error = run(&mut conn).expect_err(call);
            assert!(matches!(error, LockError::Deadlock { .. }), "{call}, {name}: {error:?}");
            assert!(matches!(one(&mut conn), Err(LockError::NotInTransaction)), "{call}, {name}");
            assert_ne!(number(&mut cluster.node(0), "SELECT balance FROM accounts WHERE id = 5"), 5, "{call}, {name}");
        }
    }
}

/// Diesel's error of the commit itself has the class as well.
#[test]
fn the_commit_of_diesels_own_transaction_is_a_deadlock() {
    let cluster = accounts();
    let mut conn = cluster.node(0);
    let error = conn.transaction(|conn| {
        LockSet::new().id::<Account>(1).lock(conn)?;
        kill(&cluster);
        Ok::<_, DieselError>(())
    });
    let error = LockError::from(error.unwrap_err());
    assert!(matches!(error, LockError::Deadlock { .. }), "{error:?}");
    assert!(error.is_retryable() && error.transaction_is_lost());
}

/// Two nodes lock and change the same row; whoever commits second has lost, and knows it.
#[test]
fn the_second_commit_loses() {
    let cluster = accounts();
    let (mut first, mut second) = (cluster.node(0), cluster.node(1));
    let mut inner = Some(());
    let error = Account::with_lock(&Account { id: 2, balance: 0 }, &mut second, |_, conn| {
        sql_query("UPDATE accounts SET balance = 7 WHERE id = 2").execute(conn)?;
        if inner.take().is_some() {
            Account { id: 2, balance: 0 }.with_lock(&mut first, |account, conn| {
                assert_eq!(account.balance, 1000);
                Ok::<_, LockError>(sql_query("UPDATE accounts SET balance = 8 WHERE id = 2").execute(conn).map(drop)?)
            })?;
        }
        Ok::<_, LockError>(())
    });
    assert!(matches!(error, Err(LockError::Deadlock { .. })), "{error:?}");
    cluster.settle();
    assert_eq!(number(&mut cluster.node(1), "SELECT balance FROM accounts WHERE id = 2"), 8);
}
