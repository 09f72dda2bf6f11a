//! Errors: their classes, what they leave behind, and that they are told by what happened and not by somebody's words.

use std::error::Error as _;

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver, one_row::stale};
use crate::support::{driver::Session, models::Account, probe::Held};

const TWICE: &str = "INSERT INTO accounts (id, owner, balance) VALUES (1, 'twice', 0)";

pub(super) type Fails = fn(&mut Driver) -> Result<(), LockError>;

pub(super) fn lock(s: &mut Driver, id: i32) -> Result<(), LockError> {
    s.lock_by_id::<Account>(id).map(drop)
}

/// Asserts that the error is `name`, whether the transaction is lost with it, and that a new one can lock.
pub(super) fn can_lock_after(arena: &Arena, session: &mut Driver, name: &str, fails: Fails, lost: bool) {
    let error = fails(session).unwrap_err();
    assert!(format!("{error:?}").starts_with(name), "{error:?}");
    assert_eq!((error.is_retryable(), error.transaction_is_lost()), (false, lost), "{error:?}");
    if name != "NotInTransaction" {
        session.rollback().unwrap();
    }
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Free, "{name}");
    session.begin().unwrap();
    assert_eq!(session.lock(&stale()).unwrap().balance, 10, "{name}");
    session.commit().unwrap();
}

/// O10, P05.
#[test]
fn after_each_error_a_new_transaction_can_lock() {
    // What fails, whether it makes sense to try again, whether the transaction is lost.
    let failures: [(&str, Fails, bool); 4] = [
        ("Missing", |s| s.begin().map_err(LockError::from).and_then(|()| lock(s, 99)), false),
        (
            "NotInSet",
            |s| {
                s.begin()?;
                s.lock_set(LockSet::new().row(&stale()))?.id::<Account>(2).map(drop)
            },
            false,
        ),
        ("NotInTransaction", |s| lock(s, 1), false),
        (
            "Query",
            |s| {
                s.begin()?;
                s.execute(TWICE)?;
                Ok(())
            },
            true,
        ),
    ];
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for (name, fails, lost) in failures {
        can_lock_after(&arena, &mut session, name, fails, lost);
    }
}

/// P06.
#[test]
fn other_errors_pass_through_unchanged() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let Err(DieselError::DatabaseError(_, raw)) = session.execute(TWICE) else { panic!("twice the same key") };
    let error = session
        .with_lock(&stale(), |_, conn| {
            Driver::execute_on(conn, TWICE)?;
            Ok::<_, LockError>(())
        })
        .unwrap_err();
    let LockError::Query(DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info)) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (info.message(), info.details(), info.constraint_name(), info.table_name()),
        (raw.message(), raw.details(), raw.constraint_name(), raw.table_name())
    );
    // Its text is part of ours, and so no source.
    assert_eq!(error.to_string(), format!("the statement failed: {}", raw.message()));
    assert!(error.source().is_none(), "{error:?}");
    let error = DieselError::from(error);
    assert!(matches!(error, DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _)), "{error:?}");
    // `NotFound` is no missing row: nobody asked for one by its key.
    let error = LockError::from(DieselError::NotFound);
    assert!(matches!(error, LockError::Query(DieselError::NotFound)), "{error:?}");
}

/// P07.
#[test]
fn words_in_values_names_and_statements_do_not_make_the_class() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    arena.execute("CREATE TABLE lock_timeout (id integer PRIMARY KEY); INSERT INTO lock_timeout VALUES (1)");
    let tags =
        ["deadlock detected", "Deadlock found", "canceling statement due to lock timeout", "could not obtain lock"];
    for tag in tags {
        let insert = format!("INSERT INTO tags (name) VALUES ('{tag}')");
        session.execute(&insert).unwrap();
        for statement in [
            insert.as_str(),
            "INSERT INTO lock_timeout VALUES (1)",
            "SELECT lock_not_available FROM lock_timeout",
            &format!("SELECT '{tag}' FROM nowhere"),
        ] {
            let error = LockError::from(session.execute(statement).unwrap_err());
            assert!(matches!(error, LockError::Query(_)), "{statement}: {error:?}");
            assert!(!error.is_retryable(), "{statement}");
        }
    }
}
