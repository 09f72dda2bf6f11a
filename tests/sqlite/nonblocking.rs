//! The same over the connections of diesel-async, which run SQLite's calls in threads of their own.

use std::{future::Future, time::Duration};

use diesel::prelude::*;
use diesel_async::{
    AsyncConnection, RunQueryDsl, SimpleAsyncConnection,
    pooled_connection::{AsyncDieselConnectionManager, deadpool::Pool},
    sync_connection_wrapper::SyncConnectionWrapper,
};
use diesel_lockset::{
    LockError, LockSet, LockTransaction, Lockable as _,
    nonblocking::{LockDsl as _, PickDsl as _, RunLockSet as _, RunLockTransaction as _},
};
use tokio::runtime::Builder;

use crate::{
    file::{Account, File, Job, Journal, accounts, balance, jobs},
    waiting::account,
};

type Wrapper = SyncConnectionWrapper<SqliteConnection>;

fn block_on<F: Future>(future: F) -> F::Output {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

async fn connect(file: &File) -> Wrapper {
    Wrapper::establish(&file.path()).await.unwrap()
}

async fn transfer(conn: &mut Wrapper, from: i32, to: i32) -> Result<(), LockError> {
    LockTransaction::new()
        .run(conn, async |conn| {
            let locked = LockSet::new().ids::<Account>([from, to]).lock(conn).await?;
            for (id, change) in [(from, -1), (to, 1)] {
                let balance = locked.id::<Account>(id)?.balance + change;
                diesel::update(accounts::table.find(id)).set(accounts::balance.eq(balance)).execute(conn).await?;
            }
            Ok(())
        })
        .await
}

#[test]
fn many_tasks_move_money_and_lose_none() {
    for journal in [Journal::Wal, Journal::Rollback] {
        let file = File::new(journal);
        block_on(async {
            let mut tasks = Vec::new();
            for task in 0..4 {
                let mut conn = connect(&file).await;
                tasks.push(tokio::spawn(async move {
                    for i in 0..25 {
                        transfer(&mut conn, (task + i) % 3 + 1, (task + i + 1) % 3 + 1).await.unwrap();
                    }
                }));
            }
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!((1..=3).map(|id| balance(&mut file.connect(), id)).sum::<i32>(), 60);
    }
}

#[test]
fn calls_wait_and_fail_as_the_blocking_ones() {
    let file = File::new(Journal::Wal);
    let writer = file.writer();
    block_on(async {
        let conn = &mut connect(&file).await;
        conn.batch_execute("PRAGMA busy_timeout = 50").await.unwrap();
        let outside = Account::lock_by_id(1, conn).await;
        assert!(matches!(outside, Err(LockError::NotInTransaction)));
        conn.transaction(async |conn| {
            let late = account(1).timeout(Duration::from_millis(30)).lock(conn).await;
            assert!(matches!(late, Err(LockError::TimedOut { .. })), "{late:?}");
            let held = account(1).no_wait().lock(conn).await;
            assert!(matches!(held, Err(LockError::Contended { .. })), "{held:?}");
            let read: i32 = accounts::table.find(1).select(accounts::balance).first(conn).await?;
            let old = account(1).timeout(Duration::from_secs(60)).lock(conn).await;
            assert!(matches!(old, Err(LockError::Serialization { .. })), "{read} {old:?}");
            Ok::<_, LockError>(())
        })
        .await
        .unwrap();
        drop(writer);
        let job = jobs::table.filter(jobs::status.eq("new")).order(jobs::priority);
        let taken: Vec<Job> = job.claim(2, jobs::status.eq("taken"), conn).await.unwrap();
        assert_eq!(taken.iter().map(|job| job.id).collect::<Vec<_>>(), [2, 3]);
        let left = account(1).with_lock(conn, async |account, _| Ok::<_, LockError>(account.balance)).await;
        assert_eq!(left.unwrap(), 10);
    });
    assert!(!file.has_writer());
}

/// The drop waits for the thread that runs the statement. A pool must not hand the connection out again.
#[test]
fn a_pool_discards_a_connection_whose_call_was_dropped() {
    let file = File::new(Journal::Wal);
    block_on(async {
        let pool =
            Pool::builder(AsyncDieselConnectionManager::<Wrapper>::new(file.path())).max_size(1).build().unwrap();
        let mut writer = file.writer();
        let mut conn = pool.get().await.unwrap();
        conn.batch_execute("PRAGMA busy_timeout = 300").await.unwrap();
        let waiting = LockTransaction::new().run(&mut conn, async |conn| Account::lock_by_id(1, conn).await);
        assert!(tokio::time::timeout(Duration::from_millis(50), waiting).await.is_err());
        drop(conn);
        diesel::connection::SimpleConnection::batch_execute(&mut writer, "COMMIT").unwrap();
        let mut conn = pool.get().await.unwrap();
        transfer_in_pool(&mut conn).await;
    });
    assert!(!file.has_writer());
    assert_eq!(balance(&mut file.connect(), 1), 9);
}

async fn transfer_in_pool(conn: &mut Wrapper) {
    transfer(conn, 1, 2).await.unwrap();
}
