//! A wait whose future is dropped: it goes on, or is cancelled on the server where the application has asked for that.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use diesel_async::AsyncConnection;
use diesel_lockset::{
    AdvisoryLock, LockError, LockSet,
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

/// The answer of the statement that is under way may come when somebody else has committed, or never.
#[test]
fn a_call_whose_closure_has_dropped_a_wait_does_not_wait_itself() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let mut holder = Driver::connect(arena.url());
    holder.begin().unwrap();
    holder.lock_set(LockSet::new().id::<Account>(1)).unwrap();
    /// Waits for the row, and drops that.
    async fn wait(conn: &mut AsyncConn) {
        let run = diesel_lockset::LockTransaction::new().retries(0);
        let waiting =
            run.run(conn, async |conn: &mut AsyncConn| LockSet::new().id::<Account>(1).lock(conn).await.map(drop));
        tokio::time::timeout(Duration::from_millis(300), waiting).await.expect_err("it has to wait");
    }
    let calls: [(&str, for<'c> fn(&'c mut AsyncConn) -> Call<'c>); 5] = [
        ("a transaction", |conn| {
            let run = diesel_lockset::LockTransaction::new().retries(0);
            Box::pin(run.run(conn, async |conn: &mut AsyncConn| {
                wait(conn).await;
                Ok::<_, LockError>(())
            }))
        }),
        ("a transaction that fails", |conn| {
            let run = diesel_lockset::LockTransaction::new().retries(0);
            Box::pin(run.run(conn, async |conn: &mut AsyncConn| {
                wait(conn).await;
                Err::<(), _>(LockError::NotInTransaction)
            }))
        }),
        ("hold", |conn| {
            Box::pin(AdvisoryLock::named("hold").hold(conn, async |conn: &mut AsyncConn| {
                wait(conn).await;
                Ok::<_, LockError>(())
            }))
        }),
        ("hold_session", |conn| {
            Box::pin(AdvisoryLock::named("hold_session").hold_session(conn, async |conn: &mut AsyncConn| {
                wait(conn).await;
                Err::<(), _>(LockError::NotInTransaction)
            }))
        }),
        ("a guard", |conn| {
            Box::pin(async move {
                let mut guard = AdvisoryLock::named("guard").acquire(conn).await?;
                wait(&mut guard).await;
                assert!(!guard.release().await);
                Err(LockError::NotInTransaction)
            })
        }),
    ];
    let mut ended = Vec::new();
    for (what, call) in calls {
        let mut conn = block_on(AsyncConn::establish(arena.url())).unwrap();
        let outcome = block_on(async { tokio::time::timeout(Duration::from_secs(10), call(&mut conn)).await });
        let outcome = outcome.unwrap_or_else(|_| panic!("{what}: it waits as long as the row is held"));
        assert!(outcome.is_err(), "{what}: {outcome:?}");
        is_refused(&mut conn, what);
        ended.push(conn);
    }
    drop(ended);
    holder.commit().unwrap();
    super::nothing_is_held(&mut holder, "in the end");
}
