//! Every verb whose answer is awaited.

use std::{future::Future, pin::Pin, time::Duration};

use diesel::prelude::*;
use diesel_async::{AsyncConnection, TransactionManager};
use diesel_lockset::{
    AdvisoryLock, Isolation, LockError, LockQueryDsl as _, LockSet, LockTransaction, Lockable as _,
    nonblocking::{
        LockConnection, LockDsl, PickDsl as _, RunAdvisoryLock as _, RunLockQuery as _, RunLockSet,
        RunLockTransaction as _,
    },
};

use super::Backend;
use crate::support::{
    models::{Account, Job, Order},
    schema::{accounts, jobs},
};

pub(in super::super) const LONG: Duration = Duration::from_secs(60);

const CHANGE: &str = "UPDATE accounts SET v = v WHERE id = 1";

/// A call, begun and awaited in the transaction that is open if it needs one.
pub(in super::super) struct Verb<C> {
    pub(in super::super) name: &'static str,
    pub(in super::super) in_a_transaction: bool,
    pub(in super::super) call: for<'c> fn(&'c mut C) -> Call<'c>,
}

pub(in super::super) type Call<'c> = Pin<Box<dyn Future<Output = Result<(), LockError>> + Send + 'c>>;

pub(in super::super) fn lock() -> AdvisoryLock {
    AdvisoryLock::named("cancelled")
}

fn account() -> Account {
    Account { id: 1, owner: String::new(), balance: 0, v: 0 }
}

async fn nothing<C: Send>(_: &mut C) -> Result<(), LockError> {
    Ok(())
}

/// Begins a transaction that Diesel knows of.
pub(super) async fn begin<C: AsyncConnection>(conn: &mut C) -> QueryResult<()> {
    C::TransactionManager::begin_transaction(conn).await
}

fn alone<C>(name: &'static str, call: for<'c> fn(&'c mut C) -> Call<'c>) -> Verb<C> {
    Verb { name, in_a_transaction: false, call }
}

pub(in super::super) fn inside<C>(name: &'static str, call: for<'c> fn(&'c mut C) -> Call<'c>) -> Verb<C> {
    Verb { name, in_a_transaction: true, call }
}

/// What locks rows.
pub(super) fn of_rows<C: LockConnection<Backend = Backend> + 'static>() -> Vec<Verb<C>> {
    vec![
        inside("set", |conn| {
            Box::pin(async move { LockSet::new().id::<Order>(1).ids::<Account>([2, 1]).lock(conn).await.map(drop) })
        }),
        inside("set in time", |conn| {
            Box::pin(async move {
                LockSet::new().id::<Order>(1).ids::<Account>([2, 1]).timeout(LONG).lock(conn).await.map(drop)
            })
        }),
        inside("set that names holders", |conn| {
            Box::pin(async move {
                LockSet::new().ids::<Account>([2, 1]).name_holders().timeout(LONG).lock(conn).await.map(drop)
            })
        }),
        inside("row", |conn| Box::pin(async move { LockDsl::lock(&account(), conn).await.map(drop) })),
        inside("row in time", |conn| {
            Box::pin(async move { RunLockSet::lock(account().timeout(LONG), conn).await.map(drop) })
        }),
        inside("query in time", |conn| {
            Box::pin(async move {
                let query = accounts::table.find(1).for_update_of(accounts::table).timeout(LONG);
                query.lock::<Account>(conn).await.map(drop)
            })
        }),
        inside("pick", |conn| {
            Box::pin(async move { jobs::table.order(jobs::id).pick_next::<Job>(conn).await.map(drop) })
        }),
        alone("claim", |conn| {
            Box::pin(async move {
                let next = jobs::table.order(jobs::id);
                next.claim::<Job, _>(1, jobs::attempts.eq(jobs::attempts + 1), conn).await.map(drop)
            })
        }),
        alone("LockTransaction", |conn| {
            let run = LockTransaction::new().retries(0).isolation(Isolation::ReadCommitted);
            Box::pin(run.run(conn, async |conn: &mut C| {
                LockSet::new().id::<Account>(1).timeout(LONG).lock(conn).await?;
                conn.batch_execute(CHANGE).await?;
                // A nested one, in a savepoint.
                let inner = LockTransaction::new().retries(0);
                inner.run(conn, async |conn: &mut C| LockDsl::lock(&account(), conn).await.map(drop)).await
            }))
        }),
        alone("with_lock", |conn| {
            Box::pin(async move {
                let locked = account();
                let changed = LockDsl::with_lock(&locked, conn, async |_, conn: &mut C| {
                    Ok::<_, LockError>(conn.batch_execute(CHANGE).await?)
                });
                changed.await
            })
        }),
    ]
}

/// What takes advisory locks.
pub(super) fn of_names<C: LockConnection<Backend = Backend> + 'static>() -> Vec<Verb<C>> {
    vec![
        alone("hold", |conn| Box::pin(lock().hold(conn, nothing))),
        alone("hold in time", |conn| Box::pin(lock().timeout(LONG).hold(conn, nothing))),
        alone("try_hold", |conn| Box::pin(async move { lock().try_hold(conn, nothing).await.map(drop) })),
        alone("hold_session", |conn| Box::pin(lock().timeout(LONG).hold_session(conn, nothing))),
        alone("hold in a transaction", |conn| {
            let run = LockTransaction::new().retries(0);
            Box::pin(run.run(conn, async |conn: &mut C| lock().timeout(LONG).hold(conn, nothing).await))
        }),
        alone("guard", |conn| {
            Box::pin(async move {
                let guard = lock().timeout(LONG).acquire(conn).await?;
                assert!(guard.release().await);
                Ok(())
            })
        }),
        alone("guard that tries", |conn| {
            Box::pin(async move {
                let guard = lock().try_acquire(conn).await?.expect("the lock is free");
                assert!(guard.release().await);
                Ok(())
            })
        }),
    ]
}
