//! What locks are for: no update is lost, money is constant, nobody decides on what is no longer true.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use diesel_lockset::{LockError, LockSet};
use fastrand::Rng;

use super::{
    Arena, Driver,
    stale::{account, accounts},
};
use crate::{
    isolation::{Outcome, Play, Run, Runs, Script, crowd},
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

/// T01.
#[test]
fn control_without_a_lock_an_update_is_lost() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let both = [play.session("one"), play.session("other")];
    let read = |s: &mut Driver| {
        s.begin().unwrap();
        i32::try_from(s.number("SELECT balance FROM accounts WHERE id = 1").unwrap()).unwrap()
    };
    let balances = both.each_ref().map(|session| session.run("reads", read));
    for (session, balance) in both.iter().zip(balances) {
        session.run("writes and commits", move |s| {
            write_balance(s, 1, balance + 1);
            s.commit().unwrap();
        });
    }
    assert_eq!(arena.number("SELECT balance FROM accounts WHERE id = 1"), 11);
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

/// T03.
#[test]
fn of_two_doctors_on_call_one_stays() {
    for isolation in ["READ COMMITTED", "REPEATABLE READ"] {
        let runs = doctors(isolation, |s| {
            let locked = s.lock_set(LockSet::new().rows(&accounts([2, 1])))?;
            let on_call = locked.rows::<Account>().iter().filter(|doctor| doctor.balance == 1).count();
            Ok(i64::try_from(on_call).unwrap())
        });
        assert_eq!(runs.0.iter().filter(|run| both_left(run)).count(), 0, "{runs}");
        let mut complete = 0;
        for run in runs.possible() {
            complete += 1;
            assert!(left(run, "ada") || left(run, "ben"), "{run}");
            for failed in run.failed() {
                // Only the one that waited, and only under a snapshot.
                let outcome = run.outcome(failed).unwrap().to_string();
                assert!(outcome.starts_with("failed(Serialization {"), "{run}");
                assert!(isolation == "REPEATABLE READ" && run.waited(failed), "{run}");
            }
        }
        assert!(complete > 1, "{runs}");
    }
}

/// T03.
#[test]
fn control_without_locks_both_doctors_leave() {
    for isolation in ["READ COMMITTED", "REPEATABLE READ"] {
        let runs =
            doctors(isolation, |s| Ok(s.number("SELECT count(*) FROM accounts WHERE id IN (1, 2) AND balance = 1")?));
        assert!(runs.possible().any(both_left), "{runs}");
    }
}

/// Two doctors look how many of them are on call, in every interleaving, and leave if the other one stays.
fn doctors(isolation: &'static str, on_call: fn(&mut Driver) -> Result<i64, LockError>) -> Runs {
    let mut script = Script::<Driver>::new().setup("UPDATE accounts SET balance = 1 WHERE id IN (1, 2)");
    for (id, name) in [(1, "ada"), (2, "ben")] {
        let seen = Arc::new(AtomicI64::new(0));
        let saw = Arc::clone(&seen);
        script = script
            .session(name)
            .step("look", move |s| {
                saw.store(0, Ordering::SeqCst);
                s.begin_as(&format!("ISOLATION LEVEL {isolation}"))?;
                let number = on_call(s)?;
                saw.store(number, Ordering::SeqCst);
                Ok::<_, LockError>(number)
            })
            .step("leave", move |s| {
                let leaves = seen.load(Ordering::SeqCst) == 2;
                if leaves {
                    write_balance(s, id, 0);
                }
                Ok::<_, LockError>(leaves)
            })
            .step("end", |s| if s.number("SELECT 1").is_ok() { s.commit() } else { s.rollback() });
    }
    script.all(&Arena::new())
}

fn left(run: &Run, name: &str) -> bool {
    run.outcome(&format!("{name}.leave")) == Some(&Outcome::Done("true".to_owned()))
}

fn both_left(run: &Run) -> bool {
    left(run, "ada") && left(run, "ben")
}

fn write_balance(s: &mut Driver, id: i32, balance: i32) {
    assert_eq!(s.execute(&format!("UPDATE accounts SET balance = {balance} WHERE id = {id}")), Ok(1));
}
