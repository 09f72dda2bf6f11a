//! A connection that could not release its advisory lock is broken for good.

use diesel::{
    Connection, PgConnection, RunQueryDsl,
    connection::{SimpleConnection, TransactionManager},
    r2d2::{ConnectionManager, Pool, PooledConnection},
    result::Error as DieselError,
    sql_query,
};
use diesel_lockset::{AdvisoryLock, RunAdvisoryLock};

use crate::support::{
    arena::Arena,
    postgres::{Postgres, waits::wait_until_gone},
    server::Server,
};

type Pooled = PooledConnection<ConnectionManager<PgConnection>>;

/// Whatever is sent over it afterwards, in whatever way.
#[test]
fn nothing_that_is_sent_over_it_makes_it_whole_again() {
    type Manager = <Pooled as Connection>::TransactionManager;
    let ways: [(&str, fn(&mut Pooled)); 6] = [
        ("a raw ROLLBACK", |c| drop(c.batch_execute("ROLLBACK"))),
        ("ROLLBACK as a query", |c| drop(sql_query("ROLLBACK").execute(c))),
        ("ABORT and a query", |c| drop((c.batch_execute("ABORT"), sql_query("SELECT 1").execute(c)))),
        ("rollback_transaction", |c| drop((Manager::rollback_transaction(c), c.batch_execute("ROLLBACK")))),
        ("begin_transaction", |c| {
            drop((c.batch_execute("ROLLBACK"), Manager::begin_transaction(c), Manager::rollback_transaction(c)))
        }),
        ("COMMIT and BEGIN", |c| {
            drop((c.batch_execute("COMMIT"), c.batch_execute("BEGIN"), c.batch_execute("COMMIT")))
        }),
    ];
    let arena = Arena::new();
    for (name, way) in ways {
        let pool = Pool::builder().max_size(1).build(ConnectionManager::<PgConnection>::new(arena.url())).unwrap();
        let mut conn = pool.get().unwrap();
        let pid = Postgres::session_number(&mut conn);
        let outcome: Result<(), DieselError> = conn.transaction(|conn| {
            let mut guard = AdvisoryLock::named("q").acquire(conn).unwrap();
            let error = guard.batch_execute("SELECT 1/0").unwrap_err();
            drop(guard);
            Err(error)
        });
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains("division by zero"), "the closure's own error comes back: {error}");
        way(&mut conn);
        assert!(conn.transaction(|_| Ok::<_, DieselError>(())).is_err(), "{name}: it takes transactions again");
        drop(conn);
        wait_until_gone(&mut arena.pg(), pid);
        let mut fresh = pool.get().unwrap();
        assert_ne!(Postgres::session_number(&mut fresh), pid, "{name}");
        assert!(AdvisoryLock::named("q").try_acquire(&mut fresh).unwrap().is_some(), "{name}");
    }
}

/// Without a pool the connection may live on; the lock does not.
#[test]
fn the_lock_ends_with_its_session_and_not_with_the_connection() {
    let arena = Arena::new();
    let mut conn = arena.pg();
    let pid = Postgres::session_number(&mut conn);
    let swallowed: Result<(), DieselError> = conn.transaction(|conn| {
        let mut guard = AdvisoryLock::named("q").acquire(conn).unwrap();
        guard.batch_execute("UPDATE accounts SET v = 99 WHERE id = 1; SELECT 1/0").unwrap_err();
        drop(guard);
        // What comes now is not committed by itself.
        conn.batch_execute("UPDATE accounts SET v = 99 WHERE id = 2").unwrap_err();
        Ok(())
    });
    assert!(swallowed.is_err());
    wait_until_gone(&mut arena.pg(), pid);
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v = 99"), 0);
    assert!(AdvisoryLock::named("q").try_acquire(&mut arena.pg()).unwrap().is_some());
}
