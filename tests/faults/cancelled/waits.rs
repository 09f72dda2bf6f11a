//! A wait whose future is dropped: it goes on, or is cancelled on the server where the application has asked for that.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use diesel_async::AsyncConnection;
use diesel_lockset::{
    LockError, LockSet,
    nonblocking::{CancelOnDrop as _, RunAdvisoryLock as _, RunLockSet as _, RunLockTransaction as _},
};

use super::{
    super::cancel_request,
    Arena, AsyncConn, Driver, is_refused, state,
    verbs::{Call, lock},
};
use crate::support::{
    driver::Session as _,
    models::Account,
    nonblocking::{block_on, runtime},
    patience::until,
    server::Observer,
};

/// The calls that wait, each for what the holder has.
const WAITS: [(&str, for<'c> fn(&'c mut AsyncConn) -> Call<'c>); 2] =
    [
        ("rows", |conn| {
            let run = diesel_lockset::LockTransaction::new().retries(0);
            Box::pin(run.run(conn, async |conn: &mut AsyncConn| {
                LockSet::new().ids::<Account>([1, 2]).lock(conn).await.map(drop)
            }))
        }),
        ("a name", |conn| Box::pin(lock().hold(conn, async |_: &mut AsyncConn| Ok::<_, LockError>(())))),
    ];

/// Polls the call until the server says that the session waits, and drops it then.
pub(super) async fn drop_when_it_waits(
    call: impl Future<Output = Result<(), LockError>>,
    pid: i32,
    observer: &mut impl Observer,
) {
    let (mut call, mut tick) = (pin!(call), tokio::time::interval(Duration::from_millis(2)));
    let waits = poll_fn(|context| {
        assert!(call.as_mut().poll(context).is_pending(), "it has to wait");
        if !observer.blocked_by(pid).is_empty() {
            return Poll::Ready(());
        }
        while tick.poll_tick(context).is_ready() {}
        Poll::Pending
    });
    tokio::time::timeout(Duration::from_secs(60), waits).await.expect("the server says who waits");
}

#[test]
fn a_wait_that_is_dropped_is_cancelled_on_the_server_where_that_is_asked_for() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let (mut holder, mut observer) = (Driver::connect(arena.url()), arena.connect());
    let mut keeper = Driver::connect(arena.url());
    holder.begin().unwrap();
    holder.lock_set(LockSet::new().id::<Account>(1)).unwrap();
    let _guard = diesel_lockset::RunAdvisoryLock::acquire(lock(), keeper.conn()).unwrap();
    for (what, wait) in WAITS {
        let mut conn = block_on(AsyncConn::establish(arena.url())).unwrap();
        let pid = state(&mut conn).0;
        let cancel = cancel_request(&conn);
        block_on(drop_when_it_waits(wait(&mut conn).cancel_on_drop(cancel), pid, &mut observer));
        until(|| observer.blocked_by(pid).is_empty().then_some(())).unwrap_or_else(|| panic!("{what}: it waits"));
        is_refused(&mut conn, what);
        drop(conn);
        observer.wait_until_gone(pid);

        // The server does not notice by itself.
        let mut conn = block_on(AsyncConn::establish(arena.url())).unwrap();
        let pid = state(&mut conn).0;
        block_on(drop_when_it_waits(wait(&mut conn), pid, &mut observer));
        drop(conn);
        assert_ne!(observer.blocked_by(pid), [0; 0], "{what}");
        observer.terminate(pid);
    }
}

#[test]
fn a_call_that_is_ready_cancels_nothing() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let mut conn = block_on(AsyncConn::establish(arena.url())).unwrap();
    let never = async { panic!("nothing is to be cancelled") };
    block_on(lock().hold(&mut conn, async |_: &mut AsyncConn| Ok::<_, LockError>(())).cancel_on_drop(never)).unwrap();
    let unpolled = async { panic!("nothing was begun") };
    drop(lock().hold(&mut conn, async |_: &mut AsyncConn| Ok::<_, LockError>(())).cancel_on_drop(unpolled));
    block_on(lock().hold(&mut conn, async |_: &mut AsyncConn| Ok::<_, LockError>(()))).unwrap();
}
