//! A future that is dropped in the middle of any of its statements: the connection is refused from then on, and a pool hands out
//! another one. The session keeps nothing for longer than it takes to end.

mod pools;
mod transfers;
pub(super) mod verbs;
mod waits;

use std::{fmt::Debug, future::poll_fn, pin::pin, task::Poll, time::Duration};

use diesel::result::Error as DieselError;
use diesel_async::{
    AsyncConnection,
    pooled_connection::{AsyncDieselConnectionManager, bb8, deadpool},
};
use diesel_lockset::{
    LockError, LockSet,
    nonblocking::{LockConnection, RunAdvisoryLock, RunLockSet},
};

use self::verbs::{LONG, Verb, begin, lock, of_names, of_rows};
use super::{Arena, AsyncConn, Driver, SESSION_STATE, own_verbs};
use crate::support::{
    driver::Session,
    models::Account,
    nonblocking::{Blocked, block_on, runtime},
    proxy::Proxy,
    server::Server,
    statements::Statements,
};

type Kind = <Driver as Session>::Server;
type Backend = <Driver as Session>::Backend;

/// More statements than any verb has.
const MANY: usize = 60;

fn verbs<C: LockConnection<Backend = Backend> + 'static>() -> Vec<Verb<C>> {
    let mut all = of_rows();
    all.extend(of_names());
    all.extend(own_verbs());
    all
}

/// The address of the server behind the proxy, as the drivers of `diesel-async` read it.
pub(super) fn address(proxy: &Proxy) -> String {
    // `mysql_async` does not encrypt, nor know the parameter that says so; but it prefers the server's socket to any address.
    proxy.url().replace("ssl_mode=DISABLED", "prefer_socket=false")
}

/// What has become of a call.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// It was dropped when the request was under way.
    Dropped,
    /// It had fewer requests.
    Done,
}

/// Polls the call until its request of this number is under way, and drops it then.
fn drop_at<C>(proxy: &Proxy, conn: &mut C, verb: &Verb<C>, request: usize) -> End
where
    C: AsyncConnection,
{
    block_on(async {
        if verb.in_a_transaction {
            begin(conn).await.unwrap();
        }
        proxy.hold_back_after(request);
        let mut call = pin!((verb.call)(conn));
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        poll_fn(|context| match call.as_mut().poll(context) {
            Poll::Ready(outcome) => {
                outcome.unwrap_or_else(|error| panic!("{}: {error:?}", verb.name));
                Poll::Ready(End::Done)
            }
            Poll::Pending if proxy.has_met() => Poll::Ready(End::Dropped),
            Poll::Pending => {
                while tick.poll_tick(context).is_ready() {}
                Poll::Pending
            }
        })
        .await
    })
}

/// Every verb, dropped at every one of its requests.
fn each<C>(mut connect: impl FnMut() -> C, proxy: &Proxy, mut judge: impl FnMut(C, &str))
where
    C: LockConnection<Backend = Backend> + 'static,
{
    for verb in verbs::<C>() {
        let dropped = (0..MANY).find(|&request| {
            let mut conn = connect();
            let end = drop_at(proxy, &mut conn, &verb, request);
            if end == End::Dropped {
                judge(conn, &format!("{}, request {request}", verb.name));
            }
            proxy.let_go();
            end == End::Done
        });
        let dropped = dropped.unwrap_or_else(|| panic!("{}: it never ends", verb.name));
        assert!(dropped > 0, "{}", verb.name);
        println!("{}: dropped at {dropped} requests", verb.name);
    }
}

/// The row and the lock are to be had again.
#[track_caller]
fn nothing_is_held(other: &mut Driver, what: &str) {
    other.begin().unwrap();
    let set = LockSet::new().id::<Account>(1).timeout(LONG);
    other.lock_set(set).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    other.commit().unwrap();
    let held = diesel_lockset::RunAdvisoryLock::hold(lock().timeout(LONG), other.conn(), |_| Ok::<_, LockError>(()));
    held.unwrap_or_else(|error| panic!("{what}: {error:?}"));
}

/// Diesel refuses the connection, and so does each verb.
#[track_caller]
fn is_refused<C: LockConnection<Backend = Backend>>(conn: &mut C, what: &str) {
    let begun = block_on(begin(conn));
    assert!(matches!(begun, Err(DieselError::BrokenTransactionManager)), "{what}: {begun:?}");
    let set = block_on(LockSet::new().id::<Account>(1).lock(conn));
    is_broken(&set, what);
    is_broken(&block_on(lock().acquire(conn)), what);
}

#[track_caller]
fn is_broken<T: Debug>(outcome: &Result<T, LockError>, what: &str) {
    let broken = matches!(outcome, Err(LockError::ConnectionLost(DieselError::BrokenTransactionManager)));
    assert!(broken, "{what}: {outcome:?}");
}

#[test]
fn a_dropped_future_leaves_a_connection_that_is_refused_and_a_session_that_ends() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let proxy = Proxy::in_front_of(arena.url());
    let url = address(&proxy);
    let mut other = Driver::connect(arena.url());
    let connect = || block_on(AsyncConn::establish(&url)).unwrap();
    each(connect, &proxy, |mut conn, what| {
        let sent = Statements::default();
        conn.set_instrumentation(sent.listener());
        is_refused(&mut conn, what);
        is_refused(&mut conn, what);
        assert_eq!(sent.take(), [""; 0], "{what}");
        drop(conn);
        proxy.let_go();
        nothing_is_held(&mut other, what);
    });
}

/// What tells of a transaction, a setting or a lock, and the number of the session.
fn state<C: AsyncConnection<Backend = Backend>>(conn: &mut C) -> (i32, Vec<i64>) {
    let conn = &mut Blocked::from(conn);
    let numbers = SESSION_STATE.map(|query| Kind::number(conn, query).unwrap());
    (Kind::session_number(conn), numbers.to_vec())
}

/// A pool of one connection hands out another one.
fn in_a_pool<C>(arena: &Arena, proxy: &Proxy, get: impl Fn() -> C)
where
    C: LockConnection<Backend = Backend> + 'static,
{
    let mut other = Driver::connect(arena.url());
    let (mut session, whole) = state(&mut get());
    each(&get, proxy, |conn, what| {
        drop(conn);
        proxy.let_go();
        let (next, now) = state(&mut get());
        assert_ne!(next, session, "{what}");
        assert_eq!(now, whole, "{what}");
        session = next;
        nothing_is_held(&mut other, what);
    });
    // A call that was not dropped has given its connection back whole.
    assert_eq!(state(&mut get()).1, whole);
}

#[test]
fn after_a_dropped_future_a_pool_of_deadpool_hands_out_another_connection() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let proxy = Proxy::in_front_of(arena.url());
    let manager = AsyncDieselConnectionManager::<AsyncConn>::new(address(&proxy));
    let pool: deadpool::Pool<AsyncConn> = deadpool::Pool::builder(manager).max_size(1).build().unwrap();
    in_a_pool(&arena, &proxy, || block_on(pool.get()).unwrap());
}

#[test]
fn after_a_dropped_future_a_pool_of_bb8_hands_out_another_connection() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let proxy = Proxy::in_front_of(arena.url());
    let manager = AsyncDieselConnectionManager::<AsyncConn>::new(address(&proxy));
    let pool: bb8::Pool<AsyncConn> = block_on(bb8::Pool::builder().max_size(1).build(manager)).unwrap();
    in_a_pool(&arena, &proxy, || block_on(pool.get_owned()).unwrap());
}

#[test]
fn a_future_that_was_never_polled_leaves_the_connection_as_it_was() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let mut conn = block_on(AsyncConn::establish(arena.url())).unwrap();
    let before = state(&mut conn);
    for verb in verbs::<AsyncConn>() {
        drop((verb.call)(&mut conn));
        assert_eq!(state(&mut conn), before, "{}", verb.name);
        let held = block_on(lock().hold(&mut conn, async |_: &mut AsyncConn| Ok::<_, LockError>(())));
        held.unwrap_or_else(|error| panic!("{}: {error:?}", verb.name));
    }
}

/// Calls are nested, and a worker thread of tokio has a stack of 2 MB.
#[test]
fn the_futures_of_nested_calls_are_small() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let mut conn = block_on(AsyncConn::establish(arena.url())).unwrap();
    for verb in verbs::<AsyncConn>() {
        let size = size_of_val(&*(verb.call)(&mut conn));
        assert!(size <= 2_048, "{}: {size} bytes", verb.name);
    }
}

#[test]
fn a_guard_that_is_dropped_gives_its_connection_up() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let mut other = Driver::connect(arena.url());
    let connect = || block_on(AsyncConn::establish(arena.url())).unwrap();
    let mut conn = connect();
    drop(block_on(lock().acquire(&mut conn)).unwrap());
    is_refused(&mut conn, "borrowed");
    drop(conn);
    nothing_is_held(&mut other, "borrowed");
    drop(block_on(lock().acquire_owned(connect())).unwrap());
    nothing_is_held(&mut other, "owned");
    // Released, it gives the connection back.
    let manager = AsyncDieselConnectionManager::<AsyncConn>::new(arena.url());
    let pool: deadpool::Pool<AsyncConn> = deadpool::Pool::builder(manager).max_size(1).build().unwrap();
    let get = || block_on(pool.get()).unwrap();
    let first = state(&mut get());
    assert!(block_on(block_on(lock().acquire_owned(get())).unwrap().release()));
    assert_eq!(state(&mut get()), first);
    drop(block_on(lock().acquire_owned(get())).unwrap());
    let next = state(&mut get());
    assert!(next.0 != first.0 && next.1 == first.1, "{next:?}, {first:?}");
    nothing_is_held(&mut other, "out of a pool");
}
