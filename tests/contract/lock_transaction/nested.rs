//! A `LockTransaction` inside of another transaction is not run again by itself.

use std::time::Duration;

use diesel::result::Error as DieselError;
use diesel_lockset::{Isolation, LockError, LockTransaction};

use super::{Arena, Driver, Own, lock, moved, run, run_on, touch};
use crate::support::driver::Session;

fn quick() -> LockTransaction {
    LockTransaction::new().backoff(Duration::from_millis(1), Duration::from_millis(1))
}

/// P05, O01.
#[test]
fn a_nested_one_is_run_once_and_says_why() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    session.execute("UPDATE accounts SET v = v + 1 WHERE id = 2").unwrap();
    let mut tries = 0;
    let error = run(&mut session, quick(), |conn| {
        tries += 1;
        lock(conn, &[1])?;
        touch(conn, 1)?;
        Err::<(), _>(moved())
    });
    let error = error.unwrap_err();
    assert!(matches!(error, LockError::RetriesExhausted { tries: 1, nested: true, .. }), "{error:?}");
    assert_eq!(tries, 1);
    let text = error.to_string();
    assert!(text.starts_with("gave up after 1 try in ") && text.contains("inside of another"), "{text}");
    assert!(matches!(error.last(), LockError::LimitedRowsChanged { .. }) && error.is_retryable(), "{error:?}");
    // Only what was done inside of it is undone.
    session.commit().unwrap();
    assert_eq!(arena.number("SELECT sum(v) FROM accounts WHERE id = 2"), 1);
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 1"), 0);
}

/// P05.
#[test]
fn an_outer_one_retries_what_an_inner_one_gave_up() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let (mut outer, mut inner) = (0, 0);
    let done = run(&mut session, quick(), |conn| {
        outer += 1;
        touch(conn, 1)?;
        run_on(conn, quick(), |conn| {
            inner += 1;
            touch(conn, 2)?;
            if inner < 3 { Err(moved()) } else { Ok(inner) }
        })
    });
    assert_eq!((done.unwrap(), outer), (3, 3));
    assert_eq!(arena.number("SELECT sum(v) FROM accounts WHERE id IN (1, 2)"), 2);
    // The same through an error type of the application's.
    let mut tries = 0;
    let error = run(&mut session, quick().retries(1), |conn| {
        run_on(conn, quick(), |_| {
            tries += 1;
            Err::<(), Own>(moved().into())
        })
    });
    assert_eq!(tries, 2, "{error:?}");
    assert!(matches!(error, Err(Own::Lock(LockError::RetriesExhausted { tries: 2, nested: false, .. }))), "{error:?}");
}

/// P05, P06.
#[test]
fn what_is_not_to_be_retried_comes_out_of_a_nested_one_unchanged() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let error = run(&mut session, quick(), |conn| run_on(conn, quick(), |_| Err::<(), _>(Own::TooPoor(3))));
    assert!(matches!(error, Err(Own::TooPoor(3))), "{error:?}");
}

/// O04.
#[test]
fn an_isolation_level_cannot_be_chosen_inside_of_another_transaction() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let mut tries = 0;
    let refused = run(&mut session, quick().isolation(Isolation::Serializable), |_| {
        tries += 1;
        Ok::<_, DieselError>(())
    });
    let refused = LockError::from(refused.unwrap_err());
    assert!(matches!(refused, LockError::Unsupported { .. }), "{refused:?}");
    assert!(refused.to_string().starts_with("locking is not possible with an isolation level inside of"), "{refused}");
    assert_eq!(tries, 0);
    session.execute("UPDATE accounts SET v = 1 WHERE id = 1").unwrap();
    session.commit().unwrap();
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 1"), 1);
}
