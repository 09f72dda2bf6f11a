//! How a transaction ends that was run once: by its closure, or by a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel_lockset::{LockError, LockTransaction};

use super::{Arena, Driver, lock, run, touch};
use crate::support::{driver::Session, models::Account};

/// A01, O10.
#[test]
fn what_was_done_is_committed_and_the_locks_end_with_it() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let balance = run(&mut session, LockTransaction::new(), |conn| {
        let rows = lock(conn, &[2, 1])?;
        arena.assert_held("accounts", "id", &["1", "2"]);
        touch(conn, 1)?;
        Ok::<_, LockError>(rows.iter().map(|row| row.balance).sum::<i32>())
    });
    assert_eq!(balance.unwrap(), 30);
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 1"), 1);
    arena.assert_held("accounts", "id", &[""; 0]);
}

/// O10.
#[test]
fn a_panic_rolls_back_and_goes_on_unwinding() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let mut tries = 0;
    let panic = catch_unwind(AssertUnwindSafe(|| {
        run(&mut session, LockTransaction::new().deny_out_of_order(), |conn| {
            tries += 1;
            lock(conn, &[5])?;
            touch(conn, 5)?;
            if tries > 0 {
                std::panic::panic_any(42_i32);
            }
            Ok::<_, LockError>(())
        })
    }));
    assert_eq!(panic.unwrap_err().downcast_ref::<i32>(), Some(&42));
    assert_eq!(tries, 1);
    arena.assert_held("accounts", "id", &[""; 0]);
    // No transaction is open, and no order is remembered.
    let outside = session.lock_by_id::<Account>(1);
    assert!(matches!(outside, Err(LockError::NotInTransaction)), "{outside:?}");
    let done = run(&mut session, LockTransaction::new().deny_out_of_order(), |conn| lock(conn, &[1]));
    assert_eq!(done.unwrap().len(), 1);
    assert_eq!(arena.number("SELECT v FROM accounts WHERE id = 5"), 0);
}
