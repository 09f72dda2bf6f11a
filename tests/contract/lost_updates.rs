//! Many sessions at once: no update is lost, money is constant.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use diesel_lockset::LockSet;
use fastrand::Rng;

use super::{
    Arena, Driver,
    stale::{account, accounts},
};
use crate::{
    isolation::crowd,
    support::{driver::Session, models::Account},
};

const LIMIT: Duration = Duration::from_secs(120);

/// T01.
#[test]
fn no_update_is_lost() {
    let arena = Arena::new();
    crowd::<Driver, _>(&arena, 8, LIMIT, |_, s| {
        for _ in 0..200 {
            s.begin().unwrap();
            let account = s.lock(&account(1)).unwrap();
            write_balance(s, 1, account.balance + 1);
            s.commit().unwrap();
        }
    });
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 1"), 10 + 8 * 200);
    assert_eq!(arena.deadlocks(), 0);
}

/// T02.
#[test]
fn money_that_is_moved_about_stays_the_same_in_every_read() {
    const CLERKS: usize = 16;
    const TRANSFERS: usize = 40;
    let arena = Arena::new();
    let rows: Vec<String> = (1..=20).map(|id| format!("({id}, 'owner {id}', 100)")).collect();
    let rows = rows.join(", ");
    arena.execute(&format!("DELETE FROM accounts; INSERT INTO accounts (id, owner, balance) VALUES {rows}"));
    let finished = AtomicUsize::new(0);
    let done: Vec<usize> = crowd::<Driver, _>(&arena, CLERKS + 1, LIMIT, |number, s| {
        let mut reads = 0;
        if number == CLERKS {
            // One statement, so one snapshot. At least one read is made when all is over.
            let sums = "SELECT sum(balance) + 1000000 * count(CASE WHEN balance < 0 THEN 1 END) FROM accounts";
            while finished.load(Ordering::SeqCst) < CLERKS || reads == 0 {
                assert_eq!(s.number(sums), Ok(2_000));
                reads += 1;
            }
            return reads;
        }
        let mut random = Rng::with_seed(number as u64);
        let moved = (0..TRANSFERS).filter(|_| transfer(s, &mut random)).count();
        finished.fetch_add(1, Ordering::SeqCst);
        moved
    });
    assert!(done.iter().all(|count| *count > 0), "{done:?}");
    assert_eq!(arena.deadlocks(), 0);
    assert_eq!(arena.number("SELECT sum(balance) FROM accounts"), 2_000);
    assert_eq!(arena.number("SELECT count(*) FROM accounts WHERE balance < 0"), 0);
}

/// Moves a random sum between two random accounts, if there is enough; whether it did.
fn transfer(s: &mut Driver, random: &mut Rng) -> bool {
    let pair = random.choose_multiple(1..=20, 2);
    let sum = random.i32(1..=60);
    s.begin().unwrap();
    let locked = s.lock_set(LockSet::new().rows(&accounts(pair.iter().copied()))).unwrap();
    let [from, to] = [pair[0], pair[1]].map(|id| locked.id::<Account>(id).unwrap().balance);
    if from < sum {
        s.rollback().unwrap();
        return false;
    }
    write_balance(s, pair[0], from - sum);
    write_balance(s, pair[1], to + sum);
    s.commit().unwrap();
    true
}

pub(super) fn write_balance(s: &mut Driver, id: i32, balance: i32) {
    assert_eq!(s.execute(&format!("UPDATE accounts SET balance = {balance} WHERE id = {id}")), Ok(1));
}
