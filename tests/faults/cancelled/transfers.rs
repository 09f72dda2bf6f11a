//! Transfers whose futures are dropped at random: money is conserved, nothing is left behind, nothing hangs.
//!
//! `DIESEL_LOCKSET_CANCELLATIONS` says how many are dropped.

use std::{
    env,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};

use diesel::prelude::*;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, deadpool};
use diesel_lockset::{
    AdvisoryLock, LockError, LockSet, LockTransaction,
    nonblocking::{RunAdvisoryLock as _, RunLockSet as _, RunLockTransaction as _},
};
use fastrand::Rng;

use super::{Arena, AsyncConn, Driver, LONG, state};
use crate::support::{
    driver::Session as _,
    models::Account,
    nonblocking::{block_on, runtime},
    schema::accounts,
};

const TASKS: usize = 8;
const ACCOUNTS: i32 = 20;
const BALANCE: i32 = 1_000;

/// Enough for each request of a transfer to be met several times.
const DROPPED: usize = 400;

/// More polls than any transfer needs that waits for nobody.
const POLLS: usize = 48;

/// How long all transfers together may take.
const HANGS: Duration = Duration::from_secs(540);

type Pool = deadpool::Pool<AsyncConn>;
type Conn = deadpool::Object<AsyncConn>;

/// What the tasks have come to.
#[derive(Debug, Default)]
struct Story {
    dropped: AtomicUsize,
    done: AtomicUsize,
}

fn wanted() -> usize {
    let wanted = env::var("DIESEL_LOCKSET_CANCELLATIONS").ok();
    wanted.map_or(DROPPED, |number| number.parse().unwrap_or_else(|_| panic!("no number: {number}")))
}

/// One of three names.
fn name(number: u8) -> AdvisoryLock {
    AdvisoryLock::named(&format!("transfers {number}")).timeout(LONG)
}

/// Moves 1 between two accounts that come in any order.
async fn transfer(from: i32, to: i32, conn: &mut Conn) -> Result<(), LockError> {
    LockTransaction::new()
        .run(conn, async |conn: &mut Conn| {
            let set = LockSet::new().ids::<Account>([from, to]);
            let locked = match (from + to) % 3 {
                0 => set.lock(conn).await?,
                1 => set.timeout(LONG).lock(conn).await?,
                _ => set.name_holders().lock(conn).await?,
            };
            for (id, change) in [(from, -1), (to, 1)] {
                let balance = locked.id::<Account>(id)?.balance + change;
                let account = diesel::update(accounts::table.find(id));
                diesel_async::RunQueryDsl::execute(account.set(accounts::balance.eq(balance)), conn).await?;
            }
            Ok(())
        })
        .await
}

/// Some transfers hold a name meanwhile.
async fn drawn(random: &mut Rng, conn: &mut Conn) -> Result<(), LockError> {
    let from = random.i32(1..=ACCOUNTS);
    let to = (from + random.i32(0..ACCOUNTS - 1)) % ACCOUNTS + 1;
    match random.u8(..9) {
        number @ ..3 => name(number).hold(conn, async |conn: &mut Conn| transfer(from, to, conn).await).await,
        number @ 3..6 => {
            let mut guard = name(number - 3).acquire(conn).await?;
            transfer(from, to, &mut guard).await?;
            assert!(guard.release().await);
            Ok(())
        }
        _ => transfer(from, to, conn).await,
    }
}

/// The future, dropped when it has been polled so many times.
async fn dropped_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

impl Story {
    /// Makes transfers until enough of them were dropped.
    async fn transfers(&self, pool: Pool, seed: u64, wanted: usize) {
        let mut random = Rng::with_seed(seed);
        while self.dropped.load(Relaxed) < wanted {
            let mut conn = pool.get().await.unwrap();
            let polls = random.usize(..POLLS);
            match dropped_after(polls, drawn(&mut random, &mut conn)).await {
                None => {
                    // In the pool it would stay open, with its locks, until it is to be handed out again.
                    drop(Conn::take(conn));
                    self.dropped.fetch_add(1, Relaxed)
                }
                Some(Ok(())) => self.done.fetch_add(1, Relaxed),
                Some(Err(error)) => panic!("{error:?}"),
            };
        }
    }
}

fn money(arena: &Arena) -> i64 {
    arena.number("SELECT sum(balance) FROM accounts")
}

#[test]
fn transfers_that_are_dropped_at_random_conserve_the_money_and_leave_nothing_behind() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    arena.execute("DELETE FROM accounts");
    (1..=ACCOUNTS).for_each(|id| {
        arena.execute(&format!("INSERT INTO accounts (id, owner, balance, v) VALUES ({id}, 'x', {BALANCE}, 0)"));
    });
    let manager = AsyncDieselConnectionManager::<AsyncConn>::new(arena.url());
    let pool: Pool = deadpool::Pool::builder(manager).max_size(TASKS).build().unwrap();
    let whole = state(&mut block_on(pool.get()).unwrap()).1;

    let (story, wanted, seed) = (Arc::new(Story::default()), wanted(), fastrand::u64(..));
    println!("seed {seed}");
    let tasks: Vec<_> = (0..TASKS as u64)
        .map(|task| {
            let (story, pool) = (Arc::clone(&story), pool.clone());
            runtime().spawn(async move { story.transfers(pool, seed ^ task, wanted).await })
        })
        .collect();
    let all = async {
        for task in tasks {
            task.await.unwrap();
        }
    };
    block_on(async { tokio::time::timeout(HANGS, all).await }).expect("no transfer hangs");

    let conns: Vec<Conn> = (0..TASKS).map(|_| block_on(pool.get()).unwrap()).collect();
    for mut conn in conns {
        let mut now = state(&mut conn).1;
        // MariaDB shows for a tenth of a second, and as long as somebody asks more often, transactions that have ended.
        for _ in 0..10 {
            if now != whole {
                std::thread::sleep(Duration::from_millis(150));
                now = state(&mut conn).1;
            }
        }
        assert_eq!(now, whole);
    }
    drop(pool);
    let mut other = Driver::connect(arena.url());
    other.begin().unwrap();
    other.lock_set(LockSet::new().ids::<Account>(1..=ACCOUNTS).timeout(LONG)).unwrap();
    other.commit().unwrap();
    for number in 0..3 {
        diesel_lockset::RunAdvisoryLock::hold(name(number), other.conn(), |_| Ok::<_, LockError>(())).unwrap();
    }
    assert_eq!(money(&arena), i64::from(ACCOUNTS * BALANCE));
    let Story { dropped, done } = &*story;
    println!("{} transfers, {} dropped", done.load(Relaxed), dropped.load(Relaxed));
    assert!(done.load(Relaxed) > 0, "some run to their end");
}
