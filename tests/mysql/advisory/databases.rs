//! The database is part of the name on the server: none, another one, one of a strange name.

use diesel::{Connection, MysqlConnection, connection::SimpleConnection};
use diesel_lockset::{LockError, RunAdvisoryLock};

use super::{Arena, account, free, nothing};
use crate::support::{
    driver::{MysqlBlocking, Session},
    mysql::MysqlFamily,
    server::{Server, with_database},
};

/// M01.
#[test]
fn without_a_database_every_verb_says_what_is_missing() {
    let arena = Arena::new();
    let mut conn = MysqlConnection::establish(&with_database(arena.url(), "")).unwrap();
    let errors = [
        account(1).hold(&mut conn, nothing).unwrap_err(),
        account(1).try_hold(&mut conn, nothing).unwrap_err(),
        account(1).timeout(std::time::Duration::from_secs(9)).hold_session(&mut conn, nothing).unwrap_err(),
        account(1).acquire(&mut conn).map(drop).unwrap_err(),
        account(1).is_held(&mut conn).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, LockError::Unsupported { .. }), "{error:?}");
        assert!(error.to_string().contains("an advisory lock without a database"), "{error}");
    }
    assert_eq!(account(1).holders(&mut conn).unwrap(), []);
}

/// A session that has gone to another database does not find its lock any more: it ends, and the lock with it.
#[test]
fn whoever_leaves_the_database_meanwhile_loses_the_connection() {
    let (arena, other) = (Arena::new(), Arena::new());
    let (mut one, mut two) = (MysqlBlocking::connect(arena.url()), MysqlBlocking::connect(arena.url()));
    let switch = format!("USE {}", other.name());
    let lost = account(1).hold_session(one.conn(), |conn| Ok::<_, LockError>(conn.batch_execute(&switch)?));
    assert!(matches!(lost, Err(LockError::AdvisoryLockLost { .. })), "{lost:?}");
    assert!(one.conn().transaction(|_| Ok::<_, LockError>(())).is_err(), "a pool ends it");
    drop(one);
    crate::support::patience::until(|| free(&mut two, account(1)).then_some(())).expect("free");
}

/// M03.
#[test]
fn databases_of_strange_names_have_locks_of_their_own() {
    let arena = Arena::new();
    let mut two = MysqlBlocking::connect(arena.url());
    for strange in ["it's", "a\\b", "ä", "b c", "a|b"] {
        let name = format!("{}{strange}", &arena.name()[..34]); // room for all of it
        arena.execute(&format!("CREATE DATABASE `{name}`"));
        let mut conn = arena.connect();
        conn.batch_execute(&format!("USE `{name}`")).unwrap();
        let expected = account(1).name().key_in(&name);
        {
            let mut guard = account(1).acquire(&mut conn).unwrap();
            let held = format!("SELECT IS_USED_LOCK('{expected}') <=> CONNECTION_ID()");
            assert_eq!(MysqlFamily::number(&mut *guard, &held), Ok(1), "{name}");
            assert!(free(&mut two, account(1)), "{name}");
        }
        arena.execute(&format!("DROP DATABASE `{name}`"));
    }
}
