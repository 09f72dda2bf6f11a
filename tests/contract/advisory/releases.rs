//! However it ends, nothing is left of a lock.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel_lockset::{AdvisoryLock, LockError};

use super::{Arena, Driver, account, free, nothing, verbs::RunAdvisoryLock};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        server::{Observer, Server},
    },
};

/// How many of the locks of these tests are held, whoever holds them.
fn left(arena: &Arena) -> i64 {
    let names = (0..10).map(account).chain(["outer", "inner"].map(AdvisoryLock::named));
    let names: Vec<_> = names.map(|lock| lock.name().clone()).collect();
    <Driver as Session>::Server::advisory_locks(&mut arena.connect(), &names)
}

/// A statement that every server refuses.
const REFUSED: &str = "INSERT INTO parents VALUES (1, 'again')";

/// K02.
#[test]
fn a_release_a_drop_and_the_end_of_a_closure_free_it() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    assert!(account(1).acquire(one.conn()).unwrap().release());
    assert!(free(&mut two, account(1)));
    drop(account(1).acquire(one.conn()).unwrap());
    assert!(free(&mut two, account(1)));
    account(1).hold(one.conn(), nothing).unwrap();
    assert!(free(&mut two, account(1)));
    account(1).hold_session(one.conn(), nothing).unwrap();
    assert!(free(&mut two, account(1)));
    assert_eq!(account(1).try_hold(one.conn(), nothing).unwrap(), Some(()));
    assert!(free(&mut two, account(1)));
    assert_eq!(left(&arena), 0);
}

/// K07, K08.
#[test]
fn what_the_closure_returns_is_told_from_a_lock_that_was_not_had() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    assert!(!account(1).hold(one.conn(), |_| Ok::<_, LockError>(false)).unwrap());
    assert_eq!(account(1).try_hold(one.conn(), |_| Ok::<_, LockError>(None::<i32>)).unwrap(), Some(None));
    let failed = account(1).try_hold(one.conn(), |_| Err::<(), _>(LockError::NotInTransaction));
    assert!(matches!(failed, Err(LockError::NotInTransaction)), "{failed:?}");
    assert!(free(&mut two, account(1)));
    let _guard = account(1).acquire(two.conn()).unwrap();
    assert_eq!(account(1).try_hold(one.conn(), |_| Ok::<_, LockError>(None::<i32>)).unwrap(), None);
}

/// K08.
#[test]
fn an_error_and_a_panic_release_it_and_undo_the_work() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let add = |conn: &mut <Driver as Session>::Conn| Driver::execute_on(conn, "INSERT INTO parents VALUES (9, 'nine')");
    let failed = account(1).hold(one.conn(), |conn| {
        add(conn)?;
        Err::<(), LockError>(LockError::NotInTransaction)
    });
    assert!(matches!(failed, Err(LockError::NotInTransaction)));
    assert!(free(&mut two, account(1)));
    let broken = account(1).hold(one.conn(), |conn| {
        Driver::execute_on(conn, REFUSED)?;
        Ok::<_, LockError>(())
    });
    assert!(matches!(broken, Err(LockError::Query(_))), "{broken:?}");
    assert!(free(&mut two, account(1)));
    for session in [false, true] {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let f = |conn: &mut _| -> Result<(), LockError> {
                add(conn)?;
                panic!("on purpose");
            };
            if session { account(1).hold_session(one.conn(), f) } else { account(1).hold(one.conn(), f) }
        }));
        assert!(panicked.is_err());
        assert!(free(&mut two, account(1)));
        one.execute("DELETE FROM parents WHERE id = 9").unwrap();
    }
    assert_eq!((left(&arena), arena.number("SELECT count(*) FROM parents")), (0, 4));
}

/// K14.
#[test]
fn nobody_releases_what_somebody_else_holds() {
    let arena = Arena::new();
    let (mut one, mut two) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let guard = account(1).acquire(one.conn()).unwrap();
    let mine = account(2).acquire(two.conn()).unwrap();
    drop(mine);
    assert!(!free(&mut two, account(1)));
    drop(guard);
    let mut emptied = account(1).acquire(one.conn()).unwrap();
    Driver::execute_on(&mut emptied, <Driver as Session>::Server::RELEASE_ALL).unwrap();
    assert!(!emptied.release(), "it was not held any more");
}

/// K15.
#[test]
fn a_lost_connection_frees_it_and_the_guard_does_not_panic() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    one.run("locks", |s| std::mem::forget(account(1).acquire(s.conn()).unwrap()));
    one.kill();
    assert!(two.run("tries", |s| free(s, account(1))));

    let mut lost = Driver::connect(arena.url());
    let pid = lost.pid();
    let guard = account(1).acquire(lost.conn()).unwrap();
    arena.connect().terminate(pid);
    drop(guard);
    let held = account(1).hold(lost.conn(), nothing);
    assert!(held.is_err());
    assert!(two.run("tries", |s| free(s, account(1))));
}

/// K15.
#[test]
fn a_lock_that_is_lost_while_its_closure_runs_is_no_ok() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    // The end of the session, and a statement that releases all of its locks.
    for ended in [false, true] {
        let pid = session.pid();
        let lost = account(1).hold_session(session.conn(), |conn| {
            if ended {
                arena.connect().terminate(pid);
            } else {
                Driver::execute_on(conn, <Driver as Session>::Server::RELEASE_ALL)?;
            }
            Ok::<_, LockError>("done")
        });
        let Err(LockError::AdvisoryLockLost { name }) = lost else { panic!("{lost:?}") };
        assert_eq!(name, account(1).name().text());
        session = Driver::connect(arena.url());
    }
    let mut session = Driver::connect(arena.url());
    let pid = session.pid();
    // The closure's own error says more.
    let failed = account(1).hold_session(session.conn(), |_| {
        arena.connect().terminate(pid);
        Err::<(), _>(LockError::NotInTransaction)
    });
    assert!(matches!(failed, Err(LockError::NotInTransaction)), "{failed:?}");
}

/// K08, L04.
#[test]
fn a_thousand_rounds_of_all_kinds_leave_nothing() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for round in 0..1_000 {
        let lock = account(round % 3);
        match round % 5 {
            0 => lock.hold(session.conn(), nothing).unwrap(),
            1 => drop(lock.acquire(session.conn()).unwrap()),
            2 => {
                let failed: Result<(), LockError> = lock.hold(session.conn(), |conn| {
                    Driver::execute_on(conn, REFUSED)?;
                    Ok(())
                });
                assert!(failed.is_err());
            }
            3 => {
                // The closure goes on although the server has given up.
                let swallowed = lock.hold_session(session.conn(), |conn| {
                    let _ = Driver::execute_on(conn, REFUSED);
                    Ok::<_, LockError>(())
                });
                swallowed.unwrap();
            }
            _ => {
                let inside = AdvisoryLock::named("outer").hold(session.conn(), |conn| lock.hold(conn, nothing));
                inside.unwrap();
            }
        }
    }
    assert_eq!(left(&arena), 0);
}
