//! Leaders: the guard that owns its connection tells when its session is gone, and another session leads then.

use std::{pin::pin, thread, time::Duration};

use diesel::r2d2::{ConnectionManager, Pool};
use diesel_async::{AsyncConnection as _, SimpleAsyncConnection as _};
use diesel_lockset::{
    AdvisoryLock, LockError, LockTransaction, RunAdvisoryLock as _, RunLockTransaction as _,
    nonblocking::{self, OwnedAdvisoryGuard},
};

use super::{Arena, AsyncConn, Driver, cancelled::address};
use crate::support::{
    driver::Session,
    nonblocking::{block_on, runtime},
    patience::until,
    proxy::{Fate, Proxy, Sent},
    server::{Observer as _, Server},
};

type Kind = <Driver as Session>::Server;
type Conn = <Kind as Server>::Conn;

/// How often is asked; an answer has as much time.
const EVERY: Duration = Duration::from_millis(400);

fn lock() -> AdvisoryLock {
    AdvisoryLock::named("leader")
}

/// Ends the session of the leader, as an administrator would.
fn end_its_session(arena: &Arena) {
    let mut admin = arena.connect();
    let holders = lock().holders(&mut admin).unwrap();
    assert_eq!(holders.len(), 1, "{holders:?}");
    admin.terminate(holders[0].session());
}

fn is_lost<T: std::fmt::Debug>(outcome: &Result<T, LockError>) -> bool {
    matches!(outcome, Err(LockError::ConnectionLost(_)))
}

async fn lead(url: &str) -> OwnedAdvisoryGuard<AsyncConn> {
    nonblocking::RunAdvisoryLock::acquire_owned(lock(), AsyncConn::establish(url).await.unwrap()).await.unwrap()
}

#[test]
fn a_leader_whose_session_is_ended_is_told_and_another_one_leads() {
    let arena = Arena::new();
    let mut leader = lock().acquire_owned(arena.connect()).unwrap();
    assert!(leader.is_held().unwrap() && leader.is_held().unwrap());
    let mut waiting = arena.connect();
    let number = Kind::session_number(&mut waiting);
    thread::scope(|scope| {
        let next = scope.spawn(|| lock().acquire_owned(waiting).unwrap());
        let mut admin = arena.connect();
        until(|| (!admin.blocked_by(number).is_empty()).then_some(())).expect("the next leader waits");
        assert!(leader.is_held().unwrap(), "somebody who waits changes nothing");
        end_its_session(&arena);
        let mut next = next.join().unwrap();
        assert!(next.is_held().unwrap());
        for _ in 0..2 {
            let told = leader.is_held();
            assert!(is_lost(&told), "{told:?}");
        }
        assert!(!leader.release());
        assert!(next.release());
    });
}

#[test]
fn a_session_that_lives_without_the_lock_is_told() {
    let arena = Arena::new();
    let (mut one, mut other) = (arena.connect(), arena.connect());
    let mut guard = lock().acquire(&mut one).unwrap();
    assert!(guard.is_held().unwrap());
    Kind::execute(&mut *guard, Kind::RELEASE_ALL).unwrap();
    assert!(!guard.is_held().unwrap());
    let next = lock().acquire(&mut other).unwrap();
    assert!(!guard.is_held().unwrap(), "another session has it");
    drop(next);
    assert!(!guard.release());
}

/// The lock of a closure that runs in an open transaction, and what that has done is not committed yet.
#[test]
fn a_lock_that_is_lost_in_an_open_transaction_is_no_ok() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let is_told = |lost: &Result<(), LockError>| matches!(lost, Err(LockError::AdvisoryLockLost { .. }));
    let mut conn = arena.connect();
    let lost = LockTransaction::new().retries(0).run(&mut conn, |conn| {
        lock().hold_session(conn, |conn| {
            Kind::execute(conn, Kind::RELEASE_ALL)?;
            Ok::<_, LockError>(())
        })
    });
    assert!(is_told(&lost), "{lost:?}");
    let mut conn = block_on(AsyncConn::establish(arena.url())).unwrap();
    let lost = block_on(async {
        nonblocking::RunLockTransaction::run(LockTransaction::new().retries(0), &mut conn, async |conn| {
            nonblocking::RunAdvisoryLock::hold_session(lock(), conn, async |conn| {
                conn.batch_execute(Kind::RELEASE_ALL).await?;
                Ok::<_, LockError>(())
            })
            .await
        })
        .await
    });
    assert!(is_told(&lost), "{lost:?}");
    // Held all the time, it is none.
    let mut conn = arena.connect();
    let held = LockTransaction::new().run(&mut conn, |conn| lock().hold_session(conn, |_| Ok::<_, LockError>(7)));
    assert_eq!(held.unwrap(), 7);
}

#[test]
fn a_pool_gets_the_connection_back_unless_its_session_is_lost() {
    let arena = Arena::new();
    let pool: Pool<ConnectionManager<Conn>> =
        Pool::builder().max_size(1).build(ConnectionManager::new(arena.url())).unwrap();
    let mut leader = lock().acquire_owned(pool.get().unwrap()).unwrap();
    let number = Kind::session_number(&mut *leader);
    assert!(pool.try_get().is_none());
    assert!(leader.release());
    let mut again = lock().acquire_owned(pool.get().unwrap()).unwrap();
    assert_eq!(Kind::session_number(&mut *again), number);
    assert!(lock().try_acquire(&mut arena.connect()).unwrap().is_none());
    end_its_session(&arena);
    drop(again);
    let mut next = lock().acquire_owned(pool.get().unwrap()).unwrap();
    assert_ne!(Kind::session_number(&mut *next), number);
    assert!(next.is_held().unwrap());
}

#[test]
fn a_future_is_ready_when_the_session_is_ended() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let mut leader = block_on(lead(arena.url()));
    assert!(block_on(leader.is_held()).unwrap());
    {
        let mut lost = pin!(leader.lost(EVERY));
        let kept = block_on(async {
            tokio::select! {
                lost = &mut lost => panic!("{lost:?}"),
                () = tokio::time::sleep(EVERY * 3) => true,
            }
        });
        assert!(kept);
        end_its_session(&arena);
        let told = block_on(async { tokio::time::timeout(Duration::from_secs(20), lost).await.expect("in time") });
        assert!(is_lost(&told), "{told:?}");
    }
    let told = block_on(leader.is_held());
    assert!(is_lost(&told), "{told:?}");
    let mut next = block_on(lead(arena.url()));
    assert!(block_on(next.is_held()).unwrap());
    assert!(!block_on(leader.release()));
    assert!(block_on(next.release()));
}

#[test]
fn a_future_is_ready_when_the_session_has_released_the_lock() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let mut leader = block_on(lead(arena.url()));
    block_on(leader.batch_execute(Kind::RELEASE_ALL)).unwrap();
    block_on(async { tokio::time::timeout(Duration::from_secs(20), leader.lost(EVERY)).await.expect("in time") })
        .unwrap();
    assert!(!block_on(leader.is_held()).unwrap());
    assert!(block_on(block_on(lead(arena.url())).release()));
}

/// The next question is asked as long after the last one as is said, however often the future was begun anew.
#[test]
fn a_future_that_is_begun_again_and_again_asks_all_the_same() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let mut leader = block_on(lead(arena.url()));
    end_its_session(&arena);
    let told = until(|| {
        let step = async { tokio::time::timeout(EVERY / 5, leader.lost(EVERY)).await.ok() };
        // The future that is dropped while it asks leaves a connection that is given up.
        block_on(step)
    });
    assert!(is_lost(&told.expect("it has asked")));
}

#[test]
fn a_server_that_is_silent_has_lost_its_leader() {
    let (_runtime, arena) = (runtime().enter(), Arena::new());
    let proxy = Proxy::in_front_of(arena.url());
    let mut leader = block_on(lead(&address(&proxy)));
    proxy.expect(super::IS_MINE, Sent::Prepared, Fate::AnswerHeld);
    let every = Duration::from_millis(500);
    let told =
        block_on(async { tokio::time::timeout(Duration::from_secs(20), leader.lost(every)).await.expect("in time") });
    assert!(is_lost(&told), "{told:?}");
    assert!(proxy.has_met());
    let source = std::error::Error::source(told.as_ref().unwrap_err()).map(ToString::to_string);
    assert!(source.is_some_and(|text| text.starts_with("no answer within 500ms")), "{told:?}");
    let mut other = arena.connect();
    drop(leader);
    proxy.let_go();
    until(|| (!lock().is_held(&mut other).unwrap()).then_some(())).expect("released by the end of the session");
}
