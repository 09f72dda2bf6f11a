//! A connection that could not release its advisory lock is broken for good.

use diesel::{
    Connection, MysqlConnection, RunQueryDsl,
    connection::{SimpleConnection, TransactionManager},
    r2d2::{ConnectionManager, Pool, PooledConnection},
    result::Error as DieselError,
    sql_query,
};
use diesel_lockset::{AdvisoryLock, RunAdvisoryLock};

use super::Arena;
use crate::support::{
    mysql::MysqlFamily,
    server::{Observer, Server},
};

type Pooled = PooledConnection<ConnectionManager<MysqlConnection>>;

/// Whatever is sent over it afterwards, in whatever way.
#[test]
fn nothing_that_is_sent_over_it_makes_it_whole_again() {
    type Manager = <Pooled as Connection>::TransactionManager;
    let ways: [(&str, fn(&mut Pooled)); 5] = [
        ("nothing", |_| {}),
        ("a raw ROLLBACK", |c| drop(c.batch_execute("ROLLBACK"))),
        ("a query", |c| drop(sql_query("SELECT 1").execute(c))),
        ("rollback_transaction", |c| drop((Manager::rollback_transaction(c), c.batch_execute("ROLLBACK")))),
        ("begin_transaction", |c| drop((Manager::begin_transaction(c), c.batch_execute("BEGIN; ROLLBACK")))),
    ];
    let (arena, other) = (Arena::new(), Arena::named("elsewhere"));
    for (name, way) in ways {
        let pool = Pool::builder().max_size(1).build(ConnectionManager::<MysqlConnection>::new(arena.url())).unwrap();
        let mut conn = pool.get().unwrap();
        let session = MysqlFamily::session_number(&mut conn);
        let mut guard = AdvisoryLock::named("q").acquire(&mut *conn).unwrap();
        // The name of the lock is that of another database now.
        guard.batch_execute(&format!("USE {}", other.name())).unwrap();
        drop(guard);
        way(&mut conn);
        assert!(conn.transaction(|_| Ok::<_, DieselError>(())).is_err(), "{name}: it takes transactions again");
        drop(conn);
        arena.admin().wait_until_gone(session);
        let mut fresh = pool.get().unwrap();
        assert_ne!(MysqlFamily::session_number(&mut fresh), session, "{name}");
        assert!(AdvisoryLock::named("q").try_acquire(&mut fresh).unwrap().is_some(), "{name}");
    }
}
