//! `with_lock` where PostgreSQL aborts a transaction: a commit that fails, an error that the closure swallows.

use diesel::{Connection, PgConnection, result::Error as DieselError};
use diesel_lockset::{LockDsl, LockError};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
    models::Account,
    probe::Held,
};

fn stale() -> Account {
    Account { id: 1, owner: "nobody".into(), balance: -1, v: -1 }
}

/// A08, P06.
#[test]
fn a_commit_that_fails_is_the_error_of_with_lock() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    arena.execute("ALTER TABLE children ALTER CONSTRAINT children_parent_id_fkey DEFERRABLE INITIALLY DEFERRED");
    let error = session
        .with_lock(&stale(), |_, conn| {
            Blocking::execute_on(conn, "UPDATE accounts SET balance = 0 WHERE id = 1")?;
            Blocking::execute_on(conn, "INSERT INTO children (id, parent_id) VALUES (99, 99)")?;
            Ok::<_, LockError>(())
        })
        .unwrap_err();
    let LockError::Query(DieselError::DatabaseError(_, info)) = &error else { panic!("{error:?}") };
    assert_eq!(info.constraint_name(), Some("children_parent_id_fkey"));
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 1"), 10);
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
    session.with_lock(&stale(), |_, _| Ok::<_, LockError>(())).unwrap();
}

/// A08.
#[test]
fn a_closure_that_swallows_an_error_of_the_server_is_not_told_that_all_went_well() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let result = session.with_lock(&stale(), |_, conn| {
        Blocking::execute_on(conn, "UPDATE accounts SET balance = 0 WHERE id = 1")?;
        let _ = Blocking::execute_on(conn, "SELECT 1 / 0");
        Ok::<_, LockError>(())
    });
    let balance = arena.number("SELECT balance FROM accounts WHERE id = 1");
    assert!(result.is_err() || balance == 0, "{result:?}, but the balance is {balance}");
    let outside = session.lock(&stale());
    assert!(matches!(outside, Err(LockError::NotInTransaction)), "{outside:?}");
}

/// A10.
#[test]
fn nested_a_closure_that_swallows_an_error_of_the_server_loses_its_own_work_only() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    session.begin().unwrap();
    session.execute("UPDATE accounts SET v = 1 WHERE id = 2").unwrap();
    let result = session.with_lock(&stale(), |_, conn| {
        Blocking::execute_on(conn, "UPDATE accounts SET v = 1 WHERE id = 1")?;
        let _ = Blocking::execute_on(conn, "SELECT 1 / 0");
        Ok::<_, LockError>(())
    });
    result.unwrap_err();
    assert_eq!(session.execute("UPDATE accounts SET v = 1 WHERE id = 3"), Ok(1));
    session.commit().unwrap();
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE v = 1"), 2);
    let outside = session.lock(&stale());
    assert!(matches!(outside, Err(LockError::NotInTransaction)), "{outside:?}");
}

/// A08, A10.
#[test]
fn an_error_met_inside_a_nested_transaction_or_a_savepoint_does_not_keep_the_rest_from_being_committed() {
    let arena = Arena::new();
    let mut session = Blocking::connect(arena.url());
    let fails = |conn: &mut PgConnection| -> Result<(), LockError> {
        Blocking::execute_on(conn, "UPDATE accounts SET balance = 0 WHERE id = 1")?;
        Blocking::execute_on(conn, "SELECT 1 / 0")?;
        Ok(())
    };
    type Meets = fn(&mut PgConnection, &dyn Fn(&mut PgConnection) -> Result<(), LockError>) -> Result<(), LockError>;
    let nested: [Meets; 3] = [
        |conn, fails| conn.transaction(|conn| fails(conn)),
        |conn, fails| Account { id: 2, ..stale() }.with_lock(conn, |_, conn| fails(conn)),
        |conn, fails| {
            Blocking::execute_on(conn, "SAVEPOINT mine")?;
            let failed = fails(conn);
            Blocking::execute_on(conn, "ROLLBACK TO SAVEPOINT mine")?;
            failed
        },
    ];
    for meets in nested {
        let result = session.with_lock(&stale(), |_, conn| {
            Blocking::execute_on(conn, "UPDATE accounts SET balance = balance + 1 WHERE id = 1")?;
            meets(conn, &fails).unwrap_err();
            Ok::<_, LockError>(())
        });
        assert!(result.is_ok(), "{result:?}");
    }
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 1"), 13);
}
