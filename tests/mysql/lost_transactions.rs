//! What follows when the server has rolled the whole transaction back: nothing is committed that comes after it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use diesel::{
    Connection, MysqlConnection, QueryDsl, RunQueryDsl, connection::SimpleConnection, result::Error as DieselError,
    sql_query,
};
use diesel_lockset::{
    LockDsl, LockError, LockQueryDsl, LockSet, LockTransaction, RunLockQuery, RunLockSet, RunLockTransaction,
};

use crate::support::{
    arena::ServerArena,
    driver::{MysqlBlocking, Session},
    models::Account,
    mysql::{self, MysqlFamily},
    patience::until,
    schema::accounts,
    server::Observer,
};

type Arena = ServerArena<MysqlFamily>;

const LATER: &str = "INSERT INTO accounts (id, owner, balance) VALUES (900, 'later', 0)";

/// Ways to lose the transaction, by which statement meets which error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    DeadlockOfASet,
    DeadlockOfAStatement,
    DeadlockOfABatch,
    ChangedInASet,
    ChangedInAStatement,
    TimeoutOfASet,
    TimeoutOfAQuery,
    TimeoutOfAStatement,
}

use Loss::{
    ChangedInASet, ChangedInAStatement, DeadlockOfABatch, DeadlockOfASet, DeadlockOfAStatement, TimeoutOfAQuery,
    TimeoutOfASet, TimeoutOfAStatement,
};

impl Loss {
    /// It hits a statement of ours, and is seen at once.
    const fn is_ours(self) -> bool {
        matches!(self, DeadlockOfASet | ChangedInASet | TimeoutOfASet | TimeoutOfAQuery)
    }

    const fn is_retryable(self) -> bool {
        !matches!(self, TimeoutOfASet | TimeoutOfAQuery | TimeoutOfAStatement)
    }

    /// Whether the statement that meets it returns that.
    fn is(self, error: &LockError) -> bool {
        match self {
            DeadlockOfASet | DeadlockOfAStatement | DeadlockOfABatch => matches!(error, LockError::Deadlock { .. }),
            ChangedInASet | ChangedInAStatement => matches!(error, LockError::Serialization { .. }),
            TimeoutOfASet | TimeoutOfAQuery => matches!(error, LockError::TimedOut { .. }),
            TimeoutOfAStatement => {
                matches!(error, LockError::Query(source) if source.to_string().starts_with("Lock wait timeout exceeded"))
            }
        }
    }
}

/// Those that the servers know.
fn losses() -> Vec<(Arena, Vec<Loss>)> {
    let (usual, takes_all_back) = (Arena::new(), Arena::on(mysql::rollback_url()));
    let mut on_usual = vec![DeadlockOfASet, DeadlockOfAStatement, DeadlockOfABatch];
    if MysqlFamily::is_mariadb(&mut usual.connect()) {
        on_usual.extend([ChangedInASet, ChangedInAStatement]);
    }
    vec![(usual, on_usual), (takes_all_back, vec![TimeoutOfASet, TimeoutOfAQuery, TimeoutOfAStatement])]
}

fn prepared(conn: &mut MysqlConnection) {
    if MysqlFamily::is_mariadb(conn) {
        conn.batch_execute("SET innodb_snapshot_isolation = ON").unwrap();
    }
    conn.batch_execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").unwrap();
}

fn one(conn: &mut MysqlConnection) -> Result<(), LockError> {
    LockSet::new().id::<Account>(1).lock(conn).map(drop)
}

fn query(conn: &mut MysqlConnection) -> Result<(), LockError> {
    RunLockQuery::load::<Account>(accounts::table.find(1).for_update_of(accounts::table), conn).map(drop)
}

/// Has the server roll the transaction of `conn` back, in which row 5 has been changed.
fn lose(loss: Loss, arena: &Arena, conn: &mut MysqlConnection) -> LockError {
    const CHANGE: &str = "UPDATE accounts SET v = v + 1 WHERE id = 1";
    let act = |conn: &mut MysqlConnection| match loss {
        DeadlockOfASet | ChangedInASet | TimeoutOfASet => one(conn),
        TimeoutOfAQuery => query(conn),
        DeadlockOfAStatement | ChangedInAStatement | TimeoutOfAStatement => {
            Ok(sql_query(CHANGE).execute(conn).map(drop)?)
        }
        DeadlockOfABatch => Ok(conn.batch_execute(CHANGE)?),
    };
    sql_query("UPDATE accounts SET v = 7 WHERE id = 5").execute(conn).unwrap();
    if matches!(loss, ChangedInASet | ChangedInAStatement) {
        sql_query("SELECT * FROM accounts").execute(conn).unwrap();
        arena.execute(CHANGE);
        return met(loss, act(conn));
    }
    let mut other = MysqlBlocking::connect(arena.url());
    other.begin().unwrap();
    if !loss.is_retryable() {
        other.execute(CHANGE).unwrap();
        conn.batch_execute("SET innodb_lock_wait_timeout = 1").unwrap();
        return met(loss, act(conn));
    }
    // Whoever has changed more is spared.
    other.execute("UPDATE accounts SET v = v + 1 WHERE id IN (1, 3, 4)").unwrap();
    let pid = other.pid();
    let waits = thread::spawn(move || {
        other.execute("UPDATE accounts SET v = v + 1 WHERE id = 5").unwrap();
        other.rollback().unwrap();
    });
    let mut observer = arena.admin();
    until(|| (!observer.blocked_by(pid).is_empty()).then_some(())).expect("waits for row 5");
    let error = met(loss, act(conn));
    waits.join().unwrap();
    assert!(error.transaction_is_lost(), "{error:?}");
    error
}

#[track_caller]
fn met(loss: Loss, result: Result<(), LockError>) -> LockError {
    let error = result.unwrap_err();
    assert!(loss.is(&error), "{loss:?}: {error:?}");
    error
}

/// Nothing is there of the lost transaction or of what came after it, and the connection is as it was.
#[track_caller]
fn nothing_is_left(loss: Loss, arena: &Arena, session: &mut MysqlBlocking) {
    let left = arena.number("SELECT COUNT(*) FROM accounts WHERE id >= 900 OR v = 7");
    assert_eq!(left, 0, "{loss:?}: was committed");
    assert_eq!(session.number("SELECT @@autocommit"), Ok(1), "{loss:?}");
    assert!(matches!(one(session.conn()), Err(LockError::NotInTransaction)), "{loss:?}");
    session.conn().transaction(one).unwrap();
    session.execute("INSERT INTO accounts (id, owner, balance) VALUES (950, 'by itself', 0)").unwrap();
    assert_eq!(arena.number("SELECT COUNT(*) FROM accounts WHERE id = 950"), 1, "{loss:?}");
    arena.execute("DELETE FROM accounts WHERE id = 950");
}

fn each_loss(try_it: impl Fn(Loss, &Arena, &mut MysqlBlocking)) {
    for (arena, losses) in losses() {
        for loss in losses {
            let mut session = MysqlBlocking::connect(arena.url());
            prepared(session.conn());
            try_it(loss, &arena, &mut session);
            nothing_is_left(loss, &arena, &mut session);
        }
    }
}

/// A08, O10.
#[test]
fn a_closure_that_swallows_the_error_commits_nothing_and_is_told() {
    each_loss(|loss, arena, session| {
        let result = session.with_lock(&stale(2), |_, conn| {
            lose(loss, arena, conn);
            let _ = sql_query(LATER).execute(conn);
            Ok::<_, LockError>(())
        });
        assert!(matches!(result, Err(LockError::Aborted)), "{loss:?}: {result:?}");
    });
}

/// A08, O07, O10.
#[test]
fn a_closure_that_writes_on_and_returns_the_error_commits_nothing() {
    each_loss(|loss, arena, session| {
        let result = LockTransaction::new().retries(0).run(session.conn(), |conn| {
            let error = lose(loss, arena, conn);
            let _ = sql_query(LATER).execute(conn);
            Err::<(), _>(error)
        });
        let error = result.unwrap_err();
        assert!(loss.is(&error), "{loss:?}: {error:?}");
    });
}

/// A10, O07, O08, O10.
#[test]
fn nested_transactions_end_and_take_the_outer_ones_along() {
    each_loss(|loss, arena, session| {
        let result = LockTransaction::new().run(session.conn(), |conn| {
            let inner = conn.transaction(|conn| {
                let inner = stale(2).with_lock(conn, |_, conn| Err::<(), _>(lose(loss, arena, conn)));
                let _ = sql_query(LATER).execute(conn);
                inner
            });
            assert!(inner.is_err(), "{loss:?}");
            let _ = sql_query(LATER).execute(conn);
            Ok::<_, LockError>(())
        });
        assert!(matches!(result, Err(LockError::Aborted)), "{loss:?}: {result:?}");
    });
}

/// A10, O10.
#[test]
fn inside_diesels_own_transaction_what_follows_is_refused() {
    each_loss(|loss, arena, session| {
        let committed = session.conn().transaction(|conn| {
            let inner = stale(2).with_lock(conn, |_, conn| {
                lose(loss, arena, conn);
                Ok::<_, LockError>(())
            });
            assert!(matches!(inner, Err(LockError::Aborted)), "{loss:?}: {inner:?}");
            let refused = LockError::from(sql_query(LATER).execute(conn).unwrap_err());
            assert!(matches!(refused, LockError::ReadOnly(_)), "{loss:?}: {refused:?}");
            Ok::<_, DieselError>(())
        });
        assert_eq!(committed, Ok(()));
    });
}

/// A10, O10.
#[test]
fn inside_diesels_own_transactions_what_follows_a_set_is_refused() {
    each_loss(|loss, arena, session| {
        if !loss.is_ours() {
            return;
        }
        for nested in [false, true] {
            let committed = session.conn().transaction(|conn| {
                if nested {
                    let inner: Result<(), LockError> = conn.transaction(|conn| Err(lose(loss, arena, conn)));
                    let error = inner.unwrap_err();
                    assert!(loss.is(&error), "{loss:?}: {error:?}");
                } else {
                    lose(loss, arena, conn);
                }
                let refused = LockError::from(sql_query(LATER).execute(conn).unwrap_err());
                assert!(matches!(refused, LockError::ReadOnly(_)), "{loss:?}: {refused:?}");
                Ok::<_, DieselError>(())
            });
            assert_eq!(committed, Ok(()));
        }
    });
}

/// A08, O10.
#[test]
fn a_panic_after_the_loss_leaves_nothing() {
    each_loss(|loss, arena, session| {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            session.with_lock(&stale(2), |_, conn| {
                lose(loss, arena, conn);
                sql_query(LATER).execute(conn).ok();
                std::panic::resume_unwind(Box::new("ours"));
                #[allow(unreachable_code)]
                Ok::<(), LockError>(())
            })
        }));
        assert!(panicked.is_err(), "{loss:?}");
    });
}

/// O10.
#[test]
fn the_outermost_transaction_is_run_again() {
    each_loss(|loss, arena, session| {
        if !loss.is_retryable() {
            return;
        }
        let mut tries = 0;
        let result = LockTransaction::new().run(session.conn(), |conn| {
            tries += 1;
            sql_query(LATER).execute(conn)?;
            LockTransaction::new().run(conn, |conn| if tries == 1 { Err(lose(loss, arena, conn)) } else { one(conn) })
        });
        result.unwrap();
        assert_eq!(tries, 2, "{loss:?}");
        assert_eq!(arena.number("SELECT COUNT(*) FROM accounts WHERE id = 900"), 1);
        arena.execute("DELETE FROM accounts WHERE id = 900");
    });
}

fn stale(id: i32) -> Account {
    Account { id, owner: "nobody".into(), balance: -1, v: -1 }
}
