//! Names and transactions: the server does not tie the one to the other.

use diesel::Connection;
use diesel_lockset::{LockError, LockTransaction, RunAdvisoryLock, RunLockTransaction};

use super::{Arena, account, free, nothing};
use crate::support::driver::{MysqlBlocking, Session};

/// M05.
#[test]
fn neither_commit_nor_rollback_releases_a_guard() {
    let arena = Arena::new();
    let (mut one, mut two) = (MysqlBlocking::connect(arena.url()), MysqlBlocking::connect(arena.url()));
    let mut guard = account(1).acquire(one.conn()).unwrap();
    for fails in [false, true] {
        let outcome = guard.transaction(|conn| {
            drop(account(2).acquire(conn)?);
            if fails { Err(LockError::NotInTransaction) } else { Ok(()) }
        });
        assert_eq!(outcome.is_err(), fails);
        assert!(!free(&mut two, account(1)));
    }
    drop(guard);
    assert!(free(&mut two, account(1)));
}

/// M05.
///
/// To release it before the commit would be too early, and of the commit nobody tells.
#[test]
fn a_hold_in_a_transaction_of_somebody_elses_is_refused_and_nothing_is_sent() {
    let arena = Arena::new();
    let mut session = MysqlBlocking::connect(arena.url());
    session.begin().unwrap();
    let sent = session.overhear();
    let mut ran = false;
    let refused = account(1).hold(session.conn(), |_| {
        ran = true;
        Ok::<_, LockError>(())
    });
    let error = refused.unwrap_err();
    assert!(matches!(error, LockError::Unsupported { .. }) && !error.transaction_is_lost(), "{error:?}");
    assert!(error.to_string().contains("`LockTransaction`"), "{error}");
    assert!(matches!(account(1).try_hold(session.conn(), nothing), Err(LockError::Unsupported { .. })));
    assert!(!ran);
    assert_eq!(sent.take(), [""; 0]);
    // Those that do not promise to last until the commit are not.
    account(1).hold_session(session.conn(), nothing).unwrap();
    drop(account(1).acquire(session.conn()).unwrap());
    session.commit().unwrap();
    account(1).hold(session.conn(), nothing).unwrap();
}

/// A nested transaction of Diesel's in one of ours is fine: the outermost counts.
#[test]
fn the_outermost_transaction_decides() {
    let arena = Arena::new();
    let (mut one, mut two) = (MysqlBlocking::connect(arena.url()), MysqlBlocking::connect(arena.url()));
    let held = LockTransaction::new().run(one.conn(), |conn| {
        conn.transaction(|conn| account(1).hold(conn, nothing))?;
        assert!(!free(&mut two, account(1)));
        Ok::<_, LockError>(())
    });
    held.unwrap();
    assert!(free(&mut two, account(1)));
    let refused = one.conn().transaction(|conn| {
        LockTransaction::new().run(conn, |conn| account(1).hold(conn, nothing)) //
    });
    assert!(matches!(refused, Err(LockError::Unsupported { .. })), "{refused:?}");
    let fresh: Result<(), LockError> = account(2).hold(one.conn(), |_| {
        // Another connection's transactions are its own.
        let refused = two.conn().transaction(|conn| account(1).hold(conn, nothing));
        assert!(matches!(refused, Err(LockError::Unsupported { .. })), "{refused:?}");
        Ok(())
    });
    fresh.unwrap();
}

/// The lock is released after the commit, never before.
#[test]
fn the_commit_comes_before_the_release() {
    let arena = Arena::new();
    let mut session = MysqlBlocking::connect(arena.url());
    let sent = session.overhear();
    let held = account(1).hold(session.conn(), |conn| account(2).hold(conn, nothing));
    held.unwrap();
    let mut sent = sent.take();
    sent.retain(|statement| !(statement.contains("SAVEPOINT") || statement.contains("autocommit")));
    let words = ["GET_LOCK", "BEGIN", "GET_LOCK", "COMMIT", "RELEASE_LOCK", "RELEASE_LOCK"];
    assert_eq!(sent.len(), words.len(), "{sent:#?}");
    for (statement, word) in sent.iter().zip(words) {
        assert!(statement.contains(word), "{word}: {sent:#?}");
    }
}
