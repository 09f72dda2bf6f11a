//! However it ends, nothing is left of a lock, and a pool has a connection that works.

use std::sync::{Arc, Barrier};

use diesel::{
    Connection, MysqlConnection,
    connection::SimpleConnection,
    r2d2::{ConnectionManager, Pool},
};
use diesel_lockset::{AdvisoryLock, LockError, LockTransaction, RunAdvisoryLock, RunLockTransaction};

use super::{Arena, account, free, nothing};
use crate::{
    isolation::Play,
    support::{
        driver::{MysqlBlocking, Session},
        models::Account,
        mysql::MysqlFamily,
        patience::until,
        server::{Observer, Server},
    },
};

/// How many of the locks of these tests are held.
fn left(arena: &Arena) -> i64 {
    let names: Vec<_> = (0..10).map(|id| account(id).name().clone()).collect();
    MysqlFamily::advisory_locks(&mut arena.connect(), &names)
}

fn pool(arena: &Arena) -> Pool<ConnectionManager<MysqlConnection>> {
    Pool::builder().max_size(1).build(ConnectionManager::new(arena.url())).unwrap()
}

/// K08.
#[test]
fn a_thousand_rounds_over_a_pool_leave_nothing() {
    let arena = Arena::new();
    let pool = pool(&arena);
    let number = MysqlFamily::session_number(&mut pool.get().unwrap());
    for round in 0..1_000 {
        let mut conn = pool.get().unwrap();
        let lock = account(round % 3);
        match round % 6 {
            0 => lock.hold(&mut conn, nothing).unwrap(),
            1 => drop(lock.acquire(&mut conn).unwrap()),
            2 => {
                let failed = lock.hold(&mut conn, |conn| Ok::<_, LockError>(conn.batch_execute("SELECT nonsense")?));
                assert!(failed.is_err());
            }
            3 => {
                let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    lock.hold(&mut conn, |_| -> Result<(), LockError> { panic!("on purpose") })
                }));
                assert!(panicked.is_err());
            }
            4 => {
                let held = LockTransaction::new().run(&mut conn, |conn| {
                    lock.clone().hold(conn, nothing)?;
                    account(7).hold(conn, |conn| lock.clone().hold(conn, nothing))
                });
                held.unwrap();
            }
            _ => {
                let undone = conn.transaction(|conn| {
                    drop(lock.acquire(conn)?);
                    Err::<(), LockError>(LockError::NotInTransaction)
                });
                assert!(undone.is_err());
            }
        }
    }
    assert_eq!(left(&arena), 0);
    assert_eq!(MysqlFamily::session_number(&mut pool.get().unwrap()), number, "the same connection throughout");
}

/// K08.
///
/// A deadlock of rows undoes the transaction, not the name.
#[test]
fn a_deadlock_of_rows_in_the_closure_releases_the_name() {
    let arena = Arena::new();
    let play = Play::<MysqlBlocking>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    let both = Arc::new(Barrier::new(2));
    let works = |mine: i32, other: i32| {
        let both = both.clone();
        let add = |conn: &mut _, id| {
            MysqlBlocking::execute_on(conn, &format!("UPDATE accounts SET v = v + 1 WHERE id = {id}"))
        };
        move |s: &mut MysqlBlocking| {
            account(mine).hold(s.conn(), |conn| {
                add(conn, mine)?;
                both.wait();
                add(conn, other)?;
                Ok::<_, LockError>(())
            })
        }
    };
    let first = one.start("works", works(1, 2));
    let second = two.start("works", works(2, 1));
    let outcomes = [first.join(), second.join()];
    let lost: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(matches!(lost[..], [LockError::Deadlock { .. }]), "{outcomes:?}");
    assert_eq!((left(&arena), arena.number("SELECT sum(v) FROM accounts")), (0, 2));
    one.run("goes on", |s| account(1).hold(s.conn(), nothing)).unwrap();
}

/// K15.
#[test]
fn a_killed_session_leaves_nothing_and_a_pool_has_another_one() {
    let arena = Arena::new();
    let pool = pool(&arena);
    let mut conn = pool.get().unwrap();
    let number = MysqlFamily::session_number(&mut conn);
    let failed = account(1).hold(&mut conn, |conn| {
        account(2).hold(conn, nothing)?;
        arena.connect().terminate(number);
        Ok::<_, LockError>(conn.batch_execute("SELECT 1")?)
    });
    assert!(failed.is_err());
    drop(conn);
    assert_eq!(left(&arena), 0);
    let mut fresh = pool.get().unwrap();
    assert_ne!(MysqlFamily::session_number(&mut fresh), number);
    account(1).hold(&mut fresh, nothing).unwrap();
}

/// K15.
#[test]
fn a_connection_that_is_dropped_with_the_lock_frees_it() {
    let arena = Arena::new();
    let mut two = MysqlBlocking::connect(arena.url());
    let pool = pool(&arena);
    std::mem::forget(account(1).acquire(&mut pool.get().unwrap()).unwrap());
    assert!(!free(&mut two, account(1)), "forgotten on purpose");
    drop(pool);
    until(|| free(&mut two, account(1)).then_some(())).expect("free");
}

/// K02.
///
/// The real deadlock of rows, told from a lost one: the names are still those of the session.
#[test]
fn a_name_is_held_across_a_deadlock_of_rows() {
    let arena = Arena::new();
    let play = Play::<MysqlBlocking>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    for s in [&one, &two] {
        s.run("begins", |s| s.begin().unwrap());
    }
    one.run("locks", |s| {
        std::mem::forget(AdvisoryLock::id::<Account>(1).acquire(s.conn()).unwrap());
        s.lock_by_id::<Account>(1).unwrap();
    });
    two.run("locks", |s| {
        std::mem::forget(AdvisoryLock::id::<Account>(2).acquire(s.conn()).unwrap());
        s.lock_by_id::<Account>(2).unwrap();
    });
    let first = one.start("wants 2", |s| {
        let outcome = s.lock_by_id::<Account>(2).map(drop);
        s.rollback().unwrap();
        outcome
    });
    first.blocked_by(&two);
    let second = two.start("wants 1", |s| {
        let outcome = s.lock_by_id::<Account>(1).map(drop);
        s.rollback().unwrap();
        outcome
    });
    let outcomes = [first.join(), second.join()];
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(LockError::Deadlock { .. }))), "{outcomes:?}");
    assert_eq!(left(&arena), 2);
    for s in [&one, &two] {
        s.run("releases", |s| s.execute("SELECT RELEASE_ALL_LOCKS()").unwrap());
    }
    assert_eq!(left(&arena), 0);
}
