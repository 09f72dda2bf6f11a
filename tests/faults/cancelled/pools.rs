//! A future that is dropped over a connection out of a pool that nobody uses any more: the session ends, with everything that it holds.

use std::{
    future::{Future, pending, poll_fn},
    pin::pin,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::Poll,
};

use diesel_async::{
    AsyncConnection,
    pooled_connection::{AsyncDieselConnectionManager, bb8, deadpool},
};
use diesel_lockset::{
    LockError, LockSet, LockTransaction,
    nonblocking::{LockConnection, RunAdvisoryLock as _, RunLockSet as _, RunLockTransaction as _},
};

use super::{
    Arena, AsyncConn, Backend, Driver, nothing_is_held, state,
    verbs::{Call, lock},
    waits::drop_when_it_waits,
};
use crate::support::{
    driver::Session as _,
    models::Account,
    nonblocking::{block_on, runtime},
    server::Observer as _,
};

/// The work of the holder: it never ends.
async fn work(began: &AtomicBool) -> Result<(), LockError> {
    began.store(true, Relaxed);
    pending().await
}

type Held<C> = for<'c> fn(&'c mut C, &'c AtomicBool) -> Call<'c>;

/// The calls that hold something while the application works.
fn held<C: LockConnection<Backend = Backend> + 'static>() -> [(&'static str, Held<C>); 4] {
    [
        ("a transaction", |conn, began| {
            Box::pin(LockTransaction::new().run(conn, async |conn: &mut C| {
                LockSet::new().ids::<Account>([1, 2]).lock(conn).await?;
                work(began).await
            }))
        }),
        ("a name around a transaction", |conn, began| Box::pin(lock().hold(conn, async |_: &mut C| work(began).await))),
        ("a name", |conn, began| Box::pin(lock().hold_session(conn, async |_: &mut C| work(began).await))),
        ("a guard", |conn, began| {
            Box::pin(async move {
                let _guard = lock().acquire(conn).await?;
                work(began).await
            })
        }),
    ]
}

/// Polls the call until the application works, and drops it then.
async fn drop_when_it_works(call: impl Future<Output = Result<(), LockError>>, began: &AtomicBool) {
    let mut call = pin!(call);
    poll_fn(|context| {
        assert!(call.as_mut().poll(context).is_pending(), "its work does not end");
        if began.load(Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Connections go back into a pool that is not used again, and their sessions end.
fn in_an_idle_pool<C>(get: impl Fn() -> C, arena: &Arena)
where
    C: LockConnection<Backend = Backend> + 'static,
{
    let (mut other, mut observer) = (Driver::connect(arena.url()), arena.connect());
    for (what, held) in held::<C>() {
        let (mut conn, began) = (get(), AtomicBool::new(false));
        let pid = state(&mut conn).0;
        block_on(drop_when_it_works(held(&mut conn, &began), &began));
        drop(conn);
        observer.wait_until_gone(pid);
        nothing_is_held(&mut other, what);
    }

    let mut conn = get();
    let pid = state(&mut conn).0;
    drop(block_on(lock().acquire_owned(conn)).unwrap());
    observer.wait_until_gone(pid);
    nothing_is_held(&mut other, "a guard that owns its connection");

    // It gets the row when the holder ends, and ends then itself.
    let (mut conn, mut holder) = (get(), Driver::connect(arena.url()));
    let pid = state(&mut conn).0;
    holder.begin().unwrap();
    holder.lock_set(LockSet::new().id::<Account>(1)).unwrap();
    let waits = LockTransaction::new()
        .run(&mut conn, async |conn: &mut C| LockSet::new().id::<Account>(1).lock(conn).await.map(drop));
    block_on(drop_when_it_waits(waits, pid, &mut observer));
    drop(conn);
    holder.commit().unwrap();
    observer.wait_until_gone(pid);
    nothing_is_held(&mut other, "a wait");
}

fn manager<C: AsyncConnection + 'static>(arena: &Arena) -> AsyncDieselConnectionManager<C> {
    AsyncDieselConnectionManager::new(arena.url())
}

#[test]
fn what_a_dropped_future_held_is_free_while_a_pool_of_deadpool_is_idle() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let pool: deadpool::Pool<AsyncConn> = deadpool::Pool::builder(manager(&arena)).max_size(8).build().unwrap();
    in_an_idle_pool(|| block_on(pool.get()).unwrap(), &arena);
}

#[test]
fn what_a_dropped_future_held_is_free_while_a_pool_of_bb8_is_idle() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let pool: bb8::Pool<AsyncConn> = block_on(bb8::Pool::builder().max_size(8).build(manager(&arena))).unwrap();
    in_an_idle_pool(|| block_on(pool.get_owned()).unwrap(), &arena);
}

/// The connection of a caller that goes on with it: no statement that was meant for the transaction is sent outside of one.
#[test]
fn a_statement_after_a_dropped_call_does_not_run_outside_of_the_transaction() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let mut conn = block_on(AsyncConn::establish(arena.url())).unwrap();
    let before = arena.number("SELECT balance FROM accounts WHERE id = 1");
    block_on(super::verbs::begin(&mut conn)).unwrap();
    block_on(async {
        let began = AtomicBool::new(false);
        let held = async { lock().hold_session(&mut conn, async |_: &mut AsyncConn| work(&began).await).await };
        drop_when_it_works(held, &began).await;
        let update = diesel::sql_query("UPDATE accounts SET balance = balance + 1 WHERE id = 1");
        let updated = diesel_async::RunQueryDsl::execute(update, &mut conn).await;
        assert!(updated.is_err(), "{updated:?}");
    });
    drop(conn);
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 1"), before);
}
