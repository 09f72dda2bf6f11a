//! Locking one row around a closure: commit, error, panic, nested.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel_lockset::LockError;

use super::{Arena, Driver, one_row::stale};
use crate::support::{driver::Session, models::Account, probe::Held};

const TAKE_3: &str = "UPDATE accounts SET balance = balance - 3 WHERE id = 1";
const BALANCE: &str = "SELECT balance FROM accounts WHERE id = 1";

/// An application's own error.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    TooPoor { has: i32, wants: i32 },
    Locking(String),
    Diesel(diesel::result::Error),
}

impl From<LockError> for Refusal {
    fn from(error: LockError) -> Self {
        Self::Locking(error.to_string())
    }
}

impl From<diesel::result::Error> for Refusal {
    fn from(error: diesel::result::Error) -> Self {
        Self::Diesel(error)
    }
}

/// Nothing is locked, nothing is open, and the session goes on.
fn is_as_before(session: &mut Driver, arena: &Arena, balance: i64) {
    assert_eq!(arena.probe("accounts", "id = 1"), Held::Free);
    let outside = session.lock(&stale());
    assert!(matches!(outside, Err(LockError::NotInTransaction)), "a transaction is left open: {outside:?}");
    assert_eq!(session.number(BALANCE), Ok(balance));
    assert_eq!(arena.number(BALANCE), balance);
}

/// A08.
#[test]
fn it_commits_what_the_closure_did_with_the_fresh_row_and_returns_its_value() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let sent = session.overhear();
    let left = session.with_lock(&stale(), |account, conn| {
        assert_eq!(account, Account { id: 1, owner: "ada".into(), balance: 10, v: 0 });
        assert_eq!(arena.probe("accounts", "id = 1"), Held::Held);
        Driver::execute_on(conn, TAKE_3)?;
        Ok::<_, LockError>(account.balance - 3)
    });
    assert_eq!(left.unwrap(), 7);
    // BEGIN, the row, what the closure sent, COMMIT.
    super::assert_sent(sent.take().len(), 4, "with_lock");
    is_as_before(&mut session, &arena, 7);
}

/// A09.
#[test]
fn an_error_of_the_closure_rolls_back_and_comes_back_unchanged() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let refused = session.with_lock(&stale(), |account, conn| -> Result<(), _> {
        Driver::execute_on(conn, TAKE_3)?;
        Err(Refusal::TooPoor { has: account.balance, wants: 300 })
    });
    assert_eq!(refused, Err(Refusal::TooPoor { has: 10, wants: 300 }));
    is_as_before(&mut session, &arena, 10);
    let refused =
        session.with_lock(&stale(), |_, _| Err::<(), _>(LockError::Unsupported { clause: "mine", advice: "none" }));
    assert!(matches!(refused, Err(LockError::Unsupported { clause: "mine", .. })), "{refused:?}");
    is_as_before(&mut session, &arena, 10);
}

/// A03, A09.
#[test]
fn without_the_row_the_closure_is_not_run() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let gone = Account { id: 99, ..stale() };
    let result = session.with_lock(&gone, |_, _| -> Result<(), Refusal> { panic!("run without the row") });
    let said = "Account 99 does not exist: deleted since it was loaded, or never there";
    assert_eq!(result, Err(Refusal::Locking(said.to_owned())));
    // Diesel's own error carries ours.
    let result = session.with_lock(&gone, |_, _| Ok::<_, diesel::result::Error>(()));
    let error = LockError::from(result.unwrap_err());
    assert!(matches!(error, LockError::Missing { .. }), "{error:?}");
    is_as_before(&mut session, &arena, 10);
}

/// A09.
#[test]
fn a_panic_in_the_closure_rolls_back_and_goes_on_unwinding() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        session.with_lock(&stale(), |_, conn| -> Result<(), LockError> {
            Driver::execute_on(conn, TAKE_3)?;
            panic!("on purpose")
        })
    }));
    assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"on purpose"));
    is_as_before(&mut session, &arena, 10);
    session.with_lock(&stale(), |_, conn| Ok::<_, LockError>(Driver::execute_on(conn, TAKE_3)?)).unwrap();
    is_as_before(&mut session, &arena, 7);
}

/// A10.
#[test]
fn inside_a_transaction_it_nests() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    session.execute("UPDATE accounts SET balance = 21 WHERE id = 2").unwrap();
    let refused = session.with_lock(&stale(), |_, conn| -> Result<(), _> {
        Driver::execute_on(conn, TAKE_3)?;
        Err(Refusal::TooPoor { has: 1, wants: 2 })
    });
    assert_eq!(refused, Err(Refusal::TooPoor { has: 1, wants: 2 }));
    assert_eq!(session.number(BALANCE), Ok(10));
    let third = Account { id: 3, ..stale() };
    session
        .with_lock(&third, |_, conn| {
            Driver::execute_on(conn, "UPDATE accounts SET balance = 6 WHERE id = 3")?;
            Ok::<_, LockError>(())
        })
        .unwrap();
    // What the inner one locked is the outer one's now.
    assert_eq!(arena.probe("accounts", "id = 3"), Held::Held);
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 3"), 5);
    session.commit().unwrap();
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 2"), 21);
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 3"), 6);
    is_as_before(&mut session, &arena, 10);
}

/// A10.
#[test]
fn a_panic_inside_a_transaction_undoes_the_inner_work_only() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    session.execute("UPDATE accounts SET balance = 21 WHERE id = 2").unwrap();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        session.with_lock(&stale(), |_, conn| -> Result<(), LockError> {
            Driver::execute_on(conn, TAKE_3)?;
            panic!("on purpose")
        })
    }));
    assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"on purpose"));
    session.commit().unwrap();
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 2"), 21);
    is_as_before(&mut session, &arena, 10);
}
