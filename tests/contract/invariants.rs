//! What locks are for: nobody decides on what is no longer true.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use diesel_lockset::{LockError, LockSet};

use super::{Arena, Driver, lost_updates::write_balance, stale::accounts};
use crate::{
    isolation::{Outcome, Play, Run, Runs, Script},
    support::{driver::Session, models::Account},
};

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
