//! Which errors are retried, how often, what is seen of it, and under which isolation level.

use std::time::Duration;

use diesel::result::Error as DieselError;
use diesel_lockset::{LockError, LockTransaction};

use super::{Arena, Driver, lock, moved, run, touch};
use crate::support::{driver::Session, models::Account, probe::Held};

const AT_ONCE: Duration = Duration::from_millis(1);

pub(super) fn quick() -> LockTransaction {
    LockTransaction::new().retries(2).backoff(AT_ONCE, AT_ONCE)
}

/// P05.
#[test]
fn these_classes_are_retried_and_no_others() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    type Fails = fn() -> LockError;
    // The tries without asking for more, with contended ones, with timed out ones.
    let cases: [(Fails, [u32; 3]); 9] = [
        (moved, [3, 3, 3]),
        (|| LockError::Deadlock { attempt: None, source: DieselError::NotFound }, [3, 3, 3]),
        (|| LockError::Serialization { attempt: None, source: DieselError::NotFound }, [3, 3, 3]),
        (|| LockError::Contended { rows: vec![], holders: vec![], source: None }, [1, 3, 1]),
        (|| LockError::TimedOut { attempt: None, source: None }, [1, 1, 3]),
        (|| LockError::Canceled { attempt: None, source: DieselError::NotFound }, [1, 1, 1]),
        (|| LockError::ConnectionLost(DieselError::NotFound), [1, 1, 1]),
        (|| LockError::Missing { rows: vec![] }, [1, 1, 1]),
        (|| LockError::Query(DieselError::NotFound), [1, 1, 1]),
    ];
    for (fails, expected) in cases {
        let transactions = [quick(), quick().retry_contended(), quick().retry_timed_out()];
        for (transaction, expected) in transactions.into_iter().zip(expected) {
            let mut tries = 0;
            let error = run(&mut session, transaction, |_| {
                tries += 1;
                Err::<(), _>(fails())
            });
            assert_eq!(tries, expected, "{:?}", fails());
            let same = |error: &LockError| std::mem::discriminant(error) == std::mem::discriminant(&fails());
            match error.unwrap_err() {
                LockError::RetriesExhausted { tries: 3, nested: false, source, .. } if expected == 3 => {
                    assert!(same(source.downcast_ref().unwrap()), "{source:?}");
                }
                error => assert!(expected == 1 && same(&error), "{error:?}"),
            }
        }
    }
    let mut tries = 0;
    let error = run(&mut session, quick(), |_| {
        tries += 1;
        Err::<(), _>(DieselError::NotFound)
    });
    assert_eq!((tries, error), (1, Err(DieselError::NotFound)));
}

/// P05, O10.
#[test]
fn a_failed_try_leaves_nothing_and_the_hook_sees_each_of_them() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let (mut tries, mut seen) = (0, Vec::new());
    let transaction = quick().retries(3).before_retry(|error, tries| {
        assert!(matches!(error.downcast_ref(), Some(LockError::LimitedRowsChanged { .. })), "{error:?}");
        // Rolled back already: no lock is kept during the pause.
        seen.push((tries, arena.probe("accounts", "id = 1"), arena.number("SELECT v FROM accounts WHERE id = 1")));
    });
    let done = run(&mut session, transaction, |conn| {
        tries += 1;
        assert_eq!(lock(conn, &[1])?[0].v, 0);
        touch(conn, 1)?;
        if tries <= 3 { Err(moved()) } else { Ok(tries) }
    });
    assert_eq!(done.unwrap(), 4);
    assert_eq!(seen, [(1, Held::Free, 0), (2, Held::Free, 0), (3, Held::Free, 0)]);
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 1"), 1);
    arena.assert_held("accounts", "id", &[""; 0]);
}

/// P05, P06.
#[test]
fn giving_up_says_how_often_it_was_tried_and_what_came_last() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let mut hooked = 0;
    let transaction = quick().before_retry(|_, _| hooked += 1);
    let error = run(&mut session, transaction, |conn| touch(conn, 1).and(Err::<(), _>(moved()))).unwrap_err();
    assert_eq!(hooked, 2, "there is no retry after the last try");
    assert!(matches!(error.last(), LockError::LimitedRowsChanged { .. }), "{error:?}");
    assert!(error.is_retryable() && !error.is_contended() && !error.transaction_is_lost(), "{error:?}");
    assert!(error.to_string().starts_with("gave up after 3 tries in "), "{error}");
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 1"), 0);
    session.begin().unwrap();
    session.lock_by_id::<Account>(1).unwrap();
    session.commit().unwrap();
}

/// P05.
#[test]
fn without_retries_the_error_comes_as_it_is() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let error = run(&mut session, quick().retries(0), |_| Err::<(), _>(moved()));
    assert!(matches!(error, Err(LockError::LimitedRowsChanged { .. })), "{error:?}");
}
