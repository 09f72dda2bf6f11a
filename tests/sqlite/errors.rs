//! Errors of SQLite, told by the texts of the real library.

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::{LockDsl, LockError, LockSet, Lockable, RunLockSet, error::LockObstacle};

use crate::file::{Account, number, with_each_journal};

diesel::table! {
    rich (id) {
        id -> Integer,
        balance -> Integer,
    }
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = rich)]
struct Rich {
    #[allow(dead_code, reason = "a model has it")]
    balance: i32,
    id: i32,
}

#[test]
fn a_view_is_not_lockable() {
    with_each_journal(|file| {
        let conn = &mut file.connect();
        conn.transaction(|conn| {
            let error = Rich::lock_by_id(2, conn).unwrap_err();
            let LockError::NotLockable { table, reason, .. } = &error else { panic!("{error:?}") };
            assert_eq!((&**table, reason), ("`rich`", &LockObstacle::NotATable));
            assert!(!error.transaction_is_lost());
            assert_eq!(Account::lock_by_id(2, conn)?.balance, 20);
            Ok::<_, LockError>(())
        })
        .unwrap();
    });
}

diesel::table! {
    #[sql_name = "sqlite_master"]
    schema (name) {
        name -> Text,
    }
}

#[derive(Debug, Queryable, Selectable, Lockable)]
#[diesel(table_name = schema, primary_key(name))]
struct Object {
    #[allow(dead_code, reason = "a model has it")]
    name: String,
}

#[test]
fn a_table_of_sqlites_own_is_not_lockable() {
    with_each_journal(|file| {
        let error = file.connect().transaction(|conn| Object::lock_by_id("accounts", conn)).unwrap_err();
        let LockError::NotLockable { table, reason, .. } = &error else { panic!("{error:?}") };
        assert_eq!((&**table, reason), ("`sqlite_master`", &LockObstacle::NotATable));
    });
}

/// A23.
#[test]
fn a_database_that_may_not_be_written_is_not_locked() {
    with_each_journal(|file| {
        let conn = &mut file.connect();
        conn.batch_execute("PRAGMA query_only = ON").unwrap();
        let error = conn.transaction(|conn| Account::lock_by_id(2, conn)).unwrap_err();
        assert!(matches!(error, LockError::ReadOnly(_)), "{error:?}");
    });
}

/// Some errors roll the transaction back, and SQLite goes on in autocommit.
#[test]
fn a_transaction_that_sqlite_has_rolled_back_locks_nothing() {
    with_each_journal(|file| {
        let conn = &mut file.connect();
        let locked = conn.transaction(|conn| {
            // swallowed
            let failed = diesel::sql_query("INSERT OR ROLLBACK INTO accounts VALUES (1, 'eve', 0)").execute(conn);
            assert!(failed.is_err());
            LockSet::new().id::<Account>(1).lock(conn).map(drop)
        });
        assert!(locked.is_err(), "{locked:?}");
        assert!(!file.has_writer());
        // The connection is usable.
        conn.transaction(|conn| Account::lock_by_id(1, conn)).unwrap();
        assert_eq!(number(conn, "SELECT count(*) FROM accounts"), 3);
    });
}
