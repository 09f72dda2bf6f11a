//! Connections that cannot release a lock, and waits that others end.

use diesel::{
    Connection, PgConnection,
    r2d2::{ConnectionManager, Pool},
    result::Error as DieselError,
};
use diesel_lockset::{AdvisoryLock, LockError, RunAdvisoryLock};

use crate::{
    isolation::Play,
    support::{
        arena::Arena,
        driver::{Blocking, Session},
        models::Account,
        postgres::{Postgres, waits::wait_until_gone},
        server::Server,
    },
};

fn account(id: i32) -> AdvisoryLock {
    AdvisoryLock::id::<Account>(id)
}

/// L04.
#[test]
fn a_guard_dropped_in_an_aborted_transaction_breaks_the_connection_and_a_pool_ends_it() {
    let arena = Arena::new();
    let pool = Pool::builder().max_size(1).build(ConnectionManager::<PgConnection>::new(arena.url())).unwrap();
    let mut conn = pool.get().unwrap();
    let pid = Postgres::session_number(&mut conn);
    let outcome: Result<(), DieselError> = conn.transaction(|conn| {
        let mut guard = account(1).acquire(conn).unwrap();
        diesel::connection::SimpleConnection::batch_execute(&mut *guard, "SELECT 1/0")
    });
    assert!(outcome.is_err());
    drop(conn);
    wait_until_gone(&mut arena.pg(), pid);
    let mut fresh = pool.get().unwrap();
    assert_ne!(Postgres::session_number(&mut fresh), pid);
    assert!(account(1).try_acquire(&mut fresh).unwrap().is_some());
}

#[test]
fn a_wait_that_an_administrator_ends_leaves_nothing() {
    let arena = Arena::new();
    let play = Play::<Blocking>::new(&arena);
    let (holder, waiter) = (play.session("holder"), play.session("waiter"));
    holder.run("locks", |s| std::mem::forget(account(1).acquire(s.conn()).unwrap()));
    for nested in [false, true] {
        let pid = waiter.run("begins", move |s| {
            if nested {
                s.begin().unwrap();
            }
            s.pid()
        });
        let waiting = waiter.start("waits", |s| account(1).hold_session(s.conn(), |_| Ok::<_, LockError>(())));
        waiting.blocked_by(&holder);
        arena.execute(&format!("SELECT pg_cancel_backend({pid})"));
        let LockError::Canceled { attempt: Some(attempt), .. } = waiting.join().unwrap_err() else {
            panic!("not canceled")
        };
        assert_eq!(attempt.advisory_lock(), Some("Account|1"));
        assert_eq!(attempt.rolled_back(), nested);
        let mine = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
        assert_eq!(waiter.run("goes on", move |s| s.number(mine)), Ok(0));
    }
}

/// L04.
#[test]
fn a_transaction_that_diesel_does_not_know_of_keeps_no_lock() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let done = account(1).hold_session(session.conn(), |conn| {
        // Begun by hand, given up by the server, and left like that.
        let _ = Blocking::execute_on(conn, "BEGIN");
        let _ = Blocking::execute_on(conn, "SELECT 1/0");
        Ok::<_, LockError>(7)
    });
    assert_eq!(done.unwrap(), 7);
    assert!(!account(1).is_held(&mut arena.pg()).unwrap());
}
