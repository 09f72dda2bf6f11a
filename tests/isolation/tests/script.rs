//! Scripts: some orders, all orders, impossible orders, and orders in which sessions deadlock.

use super::{LOCK_1, LOCK_2};
use crate::{
    isolation::{Outcome, Script, assert_text},
    support::{
        arena::Arena,
        driver::{Blocking, Session},
    },
};

const ADD: &str = "UPDATE accounts SET balance = balance + 1 WHERE id = 1";
const NOWAIT: &str = "SELECT FROM accounts WHERE id = 1 FOR UPDATE NOWAIT";

#[test]
fn a_listed_order_tells_who_waits() {
    let runs = Script::<Blocking>::new()
        .setup("UPDATE accounts SET balance = 10 WHERE id = 1")
        .session("s1")
        .step("begin", |c| c.begin())
        .step("add", |c| c.execute(ADD))
        .step("commit", |c| c.commit())
        .session("s2")
        .step("add", |c| c.execute(ADD))
        .step("look", |c| c.number("SELECT balance FROM accounts WHERE id = 1"))
        .session("s3")
        .step("lock", |c| c.execute(NOWAIT))
        .these(&Arena::new(), &["s1.begin s1.add s2.add s3.lock s1.commit s2.look", "s2.add s2.look s3.lock"]);
    assert_text(
        runs,
        "permutation: s1.begin s1.add s2.add s3.lock s1.commit s2.look
         s1.begin: done
         s1.add: done 1
         s2.add: waits for s1
         s3.lock: failed(DatabaseError(Unknown, \"could not obtain lock on row in relation \\\"accounts\\\"\"))
         s1.commit: done
         s2.add: at last done 1
         s2.look: done 12

         permutation: s2.add s2.look s3.lock
         s2.add: done 1
         s2.look: done 11
         s3.lock: done 1",
    );
}

#[test]
fn all_orders_of_two_lockers() {
    let arena = Arena::new();
    let locker = |script: Script<Blocking>, name| {
        let script = script.session(name).step("begin", |c| c.begin());
        script.step("lock", |c| c.execute(LOCK_1)).step("commit", |c| c.commit())
    };
    let runs = locker(locker(Script::new(), "s1"), "s2").all(&arena);
    assert_eq!(runs.0.len(), 20);
    // The second locker's commit before the first one's is what cannot happen.
    assert_eq!(runs.possible().count(), 14);
    for run in runs.possible() {
        assert!(run.failed().is_empty(), "{run}");
        assert_eq!(run.waited("s1.lock") || run.waited("s2.lock"), {
            let at = |step| run.permutation().split(' ').position(|name| name == step);
            at("s1.lock") < at("s2.commit") && at("s2.lock") < at("s1.commit")
        });
    }
    assert_eq!(arena.held_keys("accounts", "id"), Vec::<String>::new());
}

#[test]
fn an_impossible_order_says_so() {
    let runs = Script::<Blocking>::new()
        .session("s1")
        .step("begin", |c| c.begin())
        .step("lock", |c| c.execute(LOCK_1))
        .session("s2")
        .step("lock", |c| c.execute(LOCK_1))
        .step("look", |c| c.number("SELECT 1"))
        .these(&Arena::new(), &["s1.begin s1.lock s2.lock s2.look", "s1.begin s1.lock s2.lock"]);
    assert_text(
        runs,
        "permutation: s1.begin s1.lock s2.lock s2.look
         s1.begin: done
         s1.lock: done 1
         s2.lock: waits for s1
         s2.look: impossible, s2.lock still waits

         permutation: s1.begin s1.lock s2.lock
         s1.begin: done
         s1.lock: done 1
         s2.lock: waits for s1
         s2.lock: never ends",
    );
}

#[test]
fn the_server_breaks_a_circle() {
    let runs = Script::<Blocking>::new()
        .session("s1")
        .step("begin", |c| c.begin())
        .step("lock_1", |c| c.execute(LOCK_1))
        .step("lock_2", |c| c.execute(LOCK_2))
        .step("rollback", |c| c.rollback())
        .session("s2")
        .step("begin", |c| c.begin())
        .step("lock_2", |c| c.execute(LOCK_2))
        .step("lock_1", |c| c.execute(LOCK_1))
        .step("rollback", |c| c.rollback());
    let order = ["s1.begin s2.begin s1.lock_1 s2.lock_2 s1.lock_2 s2.lock_1 s1.rollback s2.rollback"];
    let runs = runs.these(&Arena::new(), &order);
    let run = &runs.0[0];
    assert!(run.waited("s1.lock_2") && run.waited("s2.lock_1"), "{run}");
    // Which of the two it is depends on whose `deadlock_timeout` ends first.
    let [victim] = run.failed()[..] else { panic!("one of the two fails\n{run}") };
    assert!(["s1.lock_2", "s2.lock_1"].contains(&victim), "{run}");
    let deadlock = Outcome::Failed("DatabaseError(Unknown, \"deadlock detected\")".to_owned());
    assert_eq!(run.outcome(victim), Some(&deadlock));
    assert_eq!(run.outcome("s2.rollback"), Some(&Outcome::Done("()".to_owned())));
}
