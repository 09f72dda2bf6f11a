//! Guards that cannot release their lock because their connection cannot be used: it is given up, and never pooled.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::{Connection, connection::TransactionManager};
use diesel_async::{AsyncPgConnection, async_connection_wrapper::AsyncConnectionWrapper};
use diesel_lockset::{AdvisoryLock, LockError, RunAdvisoryLock};

use crate::support::{arena::Arena, driver::Open, patience::until};

type Wrapper = AsyncConnectionWrapper<AsyncPgConnection>;

fn is_broken(conn: &mut Wrapper) -> bool {
    <Wrapper as Connection>::TransactionManager::is_broken_transaction_manager(conn)
}

fn lock() -> AdvisoryLock {
    AdvisoryLock::named("leader")
}

/// Within a runtime no other one may block.
fn within_a_runtime(f: impl FnOnce()) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async { f() });
}

#[test]
fn a_guard_that_is_dropped_where_its_connection_cannot_block_gives_the_connection_up() {
    let arena = Arena::new();
    let mut conn = Wrapper::open(arena.url());
    let guard = lock().acquire(&mut conn).unwrap();
    within_a_runtime(|| drop(guard));
    assert!(is_broken(&mut conn));
    assert!(matches!(lock().acquire(&mut conn), Err(LockError::ConnectionLost(_) | LockError::Query(_))));
    assert!(lock().is_held(&mut arena.pg()).unwrap());
    // What a pool does with it.
    drop(conn);
    until(|| (!lock().is_held(&mut arena.pg()).unwrap()).then_some(())).expect("released by the end of the session");
}

/// Also while another panic unwinds: two of them would end the process.
#[test]
fn a_guard_that_is_dropped_by_a_panic_gives_the_connection_up() {
    let arena = Arena::new();
    let mut conn = Wrapper::open(arena.url());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let guard = lock().acquire(&mut conn).unwrap();
        within_a_runtime(|| {
            let _guard = guard;
            std::panic::resume_unwind(Box::new("the closure's own"));
        });
    }));
    assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"the closure's own"));
    assert!(is_broken(&mut conn));
}

/// Where it can block nothing of this happens.
#[test]
fn a_guard_that_releases_leaves_the_connection_whole() {
    let arena = Arena::new();
    let mut conn = Wrapper::open(arena.url());
    drop(lock().acquire(&mut conn).unwrap());
    assert!(!is_broken(&mut conn));
    assert!(!lock().is_held(&mut arena.pg()).unwrap());
    assert!(lock().acquire(&mut conn).unwrap().release());
    assert_eq!(lock().hold_session(&mut conn, |_| Ok::<_, LockError>(7)).unwrap(), 7);
    assert!(!is_broken(&mut conn));
}
