//! Transfers made to deadlock on purpose: all of them succeed in the end.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use diesel_lockset::{LockError, LockTransaction};

use super::{Arena, Conn, Driver, lock, run};
use crate::{isolation::crowd, support::driver::Session};

const SIZE: usize = 8;
const TRANSFERS: u32 = 6;

/// Moves 1 from one account to another, locked one by one in the order given, which nobody should do.
fn transfer(conn: &mut Conn, from: i32, to: i32, between: impl FnOnce()) -> Result<(), LockError> {
    let source = lock(conn, &[from])?.remove(0);
    between();
    let target = lock(conn, &[to])?.remove(0);
    for (id, balance) in [(from, source.balance - 1), (to, target.balance + 1)] {
        Driver::execute_on(conn, &format!("UPDATE accounts SET balance = {balance}, v = v + 1 WHERE id = {id}"))?;
    }
    Ok(())
}

/// H04, P05, T01.
#[test]
fn transfers_that_deadlock_on_purpose_all_succeed() {
    let arena = Arena::new();
    let money = arena.number("SELECT sum(balance) FROM accounts");
    let (retries, crossed) = (AtomicU32::new(0), Barrier::new(SIZE));
    crowd::<Driver, _>(&arena, SIZE, Duration::from_secs(60), |number, session| {
        // The first two cross for certain, before the others begin.
        let crosses = AtomicBool::new(number < 2);
        if !crosses.load(Ordering::Relaxed) {
            crossed.wait();
        }
        for turn in 0..TRANSFERS {
            let (from, to) = match (turn, number) {
                (0, 0) => (1, 2),
                (0, 1) => (2, 1),
                _ => {
                    let from = fastrand::i32(1..=5);
                    (from, (from + fastrand::i32(0..4)) % 5 + 1)
                }
            };
            let transaction = LockTransaction::new()
                .retries(1000)
                .backoff(Duration::from_millis(2), Duration::from_millis(100))
                .before_retry(|error, _| {
                    assert!(matches!(error.downcast_ref(), Some(LockError::Deadlock { .. })), "{error:?}");
                    retries.fetch_add(1, Ordering::Relaxed);
                });
            let done = run(session, transaction, |conn| {
                transfer(conn, from, to, || {
                    if crosses.swap(false, Ordering::Relaxed) {
                        crossed.wait();
                    }
                })
            });
            assert!(done.is_ok(), "{done:?}");
        }
    });
    let retries = retries.into_inner();
    println!("{retries} retries");
    assert!(retries > 0);
    assert_eq!(arena.number("SELECT sum(balance) FROM accounts"), money);
    let transfers = i64::try_from(SIZE).unwrap() * i64::from(TRANSFERS);
    assert_eq!(arena.number("SELECT sum(v) FROM accounts"), 2 * transfers);
}
