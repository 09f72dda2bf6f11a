//! What the crate knows of a connection follows the connection: through a pool's wrapper, when a guard or the connection itself is moved.

use std::mem;

use diesel::{
    connection::{AnsiTransactionManager, TransactionManager},
    prelude::*,
    r2d2::{ConnectionManager, Pool, PooledConnection},
    result::Error as DieselError,
};
use diesel_lockset::{
    AdvisoryLock, LockError, LockSet, LockTransaction, RunAdvisoryLock, RunLockSet, RunLockTransaction,
};

use super::{Arena, Driver, SESSION_STATE};
use crate::support::{driver::Session, models::Account, schema::accounts, server::Server};

type Inner = <Driver as Session>::Conn;
type Conn = PooledConnection<ConnectionManager<Inner>>;

fn pool(arena: &Arena) -> Pool<ConnectionManager<Inner>> {
    Pool::builder().max_size(2).build(ConnectionManager::new(arena.url())).unwrap()
}

fn named(name: &str) -> AdvisoryLock {
    AdvisoryLock::named(name)
}

fn is_held(name: &str, conn: &mut Conn) -> bool {
    named(name).is_held(conn).unwrap()
}

fn write(conn: &mut Inner) -> Result<(), LockError> {
    diesel::update(accounts::table.find(1)).set(accounts::v.eq(7)).execute(conn)?;
    Ok(())
}

#[test]
fn a_set_on_the_inner_connection_is_one_of_the_transaction_on_the_wrapper() {
    let arena = Arena::new();
    let mut conn = pool(&arena).get().unwrap();
    let ids = |ids: [i32; 1]| LockSet::new().ids::<Account>(ids);
    let backwards = LockTransaction::new().deny_out_of_order().retries(0).run(&mut conn, |conn| {
        let inner: &mut Inner = conn;
        ids([2]).lock(inner)?;
        ids([1]).lock(inner).map(drop)
    });
    assert!(matches!(backwards, Err(LockError::OutOfOrder { .. })), "{backwards:?}");
    let forwards = LockTransaction::new().deny_out_of_order().retries(0).run(&mut conn, |conn| {
        ids([1]).lock(conn)?;
        let inner: &mut Inner = conn;
        ids([2]).lock(inner).map(drop)
    });
    forwards.unwrap();
}

#[test]
fn an_advisory_lock_on_the_inner_connection_lasts_as_long_as_the_transaction_on_the_wrapper() {
    let arena = Arena::new();
    let pool = pool(&arena);
    let (mut conn, mut other) = (pool.get().unwrap(), pool.get().unwrap());
    let done = LockTransaction::new().run(&mut conn, |conn| {
        let inner: &mut Inner = conn;
        named("inner").hold(inner, write)?;
        assert!(is_held("inner", &mut other));
        Ok::<_, LockError>(())
    });
    done.unwrap();
    assert!(!is_held("inner", &mut other));
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 1"), 7);
}

#[test]
fn a_guard_that_is_moved_releases_its_own_lock_on_its_own_connection() {
    let arena = Arena::new();
    let pool = pool(&arena);
    let (mut one, mut two) = (pool.get().unwrap(), pool.get().unwrap());
    {
        let first = Box::new(named("first").acquire(&mut one).unwrap());
        let second = Some(named("second").acquire(&mut two).unwrap());
        let (mut second, first) = (second, first);
        let other = second.as_mut().unwrap();
        assert!(is_held("first", other));
        drop(first);
        assert!(!is_held("first", other) && is_held("second", other));
        assert!(second.unwrap().release());
    }
    assert!(!is_held("second", &mut one));
}

/// Its documentation says how long the lock lives then.
#[test]
fn a_guard_that_is_forgotten_keeps_its_lock_and_leaves_the_connection_usable() {
    let arena = Arena::new();
    let pool = pool(&arena);
    let (mut one, mut two) = (pool.get().unwrap(), pool.get().unwrap());
    mem::forget(named("forgotten").acquire(&mut one).unwrap());
    LockTransaction::new().run(&mut one, |conn| write(conn)).unwrap();
    named("another").hold(&mut one, |conn| write(conn)).unwrap();
    assert!(is_held("forgotten", &mut two) && !is_held("another", &mut two));
}

#[test]
fn connections_that_are_swapped_in_a_closure_commit_nothing_and_leave_nothing() {
    let arena = Arena::new();
    let pool = pool(&arena);
    let state = |conn: &mut Conn| SESSION_STATE.map(|query| <Driver as Session>::Server::number(conn, query).unwrap());
    let whole = state(&mut pool.get().unwrap());
    let (mut one, mut two) = (pool.get().unwrap(), pool.get().unwrap());
    let swapped = LockTransaction::new().retries(0).run(&mut one, |conn| {
        named("swapped").hold(conn, |conn| write(conn))?;
        mem::swap(conn, &mut two);
        Ok::<_, LockError>(())
    });
    assert!(matches!(swapped, Err(LockError::Aborted)), "{swapped:?}");
    let open =
        |conn: &mut Conn| AnsiTransactionManager::transaction_manager_status_mut(&mut **conn).transaction_depth();
    // It has begun nothing, and is given up where the advisory lock to be released is not found on it.
    assert!(matches!(open(&mut one), Ok(None) | Err(DieselError::BrokenTransactionManager)), "{:?}", open(&mut one));
    // The other one has an open transaction, with which a pool takes no connection back.
    drop((one, two));
    let (mut one, mut two) = (pool.get().unwrap(), pool.get().unwrap());
    assert_eq!([state(&mut one), state(&mut two)], [whole, whole]);
    LockTransaction::new().run(&mut one, |conn| LockSet::new().id::<Account>(1).lock(conn).map(drop)).unwrap();
    named("swapped").hold(&mut two, |_| Ok::<_, LockError>(())).unwrap();
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 1"), 0);
}
