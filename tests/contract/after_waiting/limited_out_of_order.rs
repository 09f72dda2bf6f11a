//! Queries with a limit whose next match comes before a row that the set holds: it is taken if it is free, and never waited
//! for, since that is how sessions deadlock.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet};

use super::{
    super::quoted,
    Driver, Scene, does,
    stale::{account_ids, job_ids},
};
use crate::support::{
    driver::Session,
    models::{Account, AccountSummary, Job},
    schema::{accounts, jobs},
};

/// The last of the jobs that are NEW.
fn last(s: &mut Driver) -> Result<Vec<i64>, LockError> {
    let new = jobs::table.filter(jobs::status.eq("NEW")).order(jobs::id.desc()).limit(1);
    s.lock_set(LockSet::new().query::<Job>(new)).map(|locked| job_ids(&locked))
}

const DONE_4: &str = "UPDATE jobs SET status = 'DONE' WHERE id = 4";

/// F03.
#[test]
fn an_earlier_match_is_taken_if_it_is_free() {
    let scene = Scene::of("jobs");
    assert_eq!(scene.after(DONE_4, last).unwrap(), [3]);
    let held = scene.held("jobs", "id");
    assert!(held.contains(&"3".to_owned()) && !held.contains(&"2".to_owned()), "{held:?}");
    // In the order of priority it is the same: it is the reverse of the key's.
    let next = scene.after(DONE_4, |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW")).order(jobs::priority).limit(2);
        job_ids(&s.lock_set(LockSet::new().query::<Job>(new)).unwrap())
    });
    assert_eq!(next, [2, 3]);
}

/// F03, H02, P05.
#[test]
fn an_earlier_match_that_is_held_is_not_waited_for() {
    let scene = Scene::of_commits();
    let third = scene.play.session("third");
    does(&third, "UPDATE jobs SET payload = 'mine' WHERE id = 3");
    let error = scene.after(DONE_4, last).unwrap_err();
    assert!(matches!(&error, LockError::LimitedRowsChanged { table } if *table == quoted("jobs")), "{error:?}");
    assert!(error.is_retryable());
    assert!(!error.transaction_is_lost());
    assert!(error.to_string().contains("run the transaction again"), "{error}");

    // The transaction goes on.
    let locker = &scene.locker;
    assert_eq!(locker.run("goes on", |s| s.execute("UPDATE accounts SET v = 7 WHERE id = 1")), Ok(1));
    locker.run("commits", |s| s.commit().unwrap());
    assert_eq!(scene.arena.number("SELECT v FROM accounts WHERE id = 1"), 7);

    // And run again, it holds nothing, so it may wait.
    let again = locker.start("locks again", |s| {
        s.begin().unwrap();
        last(s)
    });
    again.blocked_by(&third);
    third.run("commits", |s| s.commit().unwrap());
    assert_eq!(again.join().unwrap(), [3]);
}

/// F03.
#[test]
fn a_free_earlier_match_and_a_later_one_are_both_taken() {
    let scene = Scene::of_commits();
    // Ordered by priority, the set holds 3 and 4. Both leave; 1 and 2 take their places, and later 6.
    let change = "UPDATE jobs SET status = 'DONE' WHERE id IN (3, 4); \
                  INSERT INTO jobs (id, priority) VALUES (6, 25)";
    let jobs = scene.after(change, |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW")).order(jobs::priority).limit(2);
        job_ids(&s.lock_set(LockSet::new().query::<Job>(new)).unwrap())
    });
    assert_eq!(jobs, [2, 6]);
}

/// F03, H02.
#[test]
fn what_an_instance_holds_counts_for_the_order_too() {
    let scene = Scene::new();
    let third = scene.play.session("third");
    does(&third, "SELECT 1 FROM jobs WHERE id = 2 FOR UPDATE");
    // The next match, 2, comes after 1, which the query held, but before 5, which is held as an instance.
    let outcome = scene.after("UPDATE jobs SET status = 'DONE' WHERE id = 1", |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW")).order(jobs::id).limit(1);
        s.lock_set(LockSet::new().id::<Job>(5).query::<Job>(new)).map(|locked| job_ids(&locked))
    });
    let error = outcome.unwrap_err();
    assert!(matches!(error, LockError::LimitedRowsChanged { .. }), "{error:?}");
}

/// F03, H02, H22.
#[test]
fn what_another_model_of_the_table_holds_counts_for_the_order_too() {
    let scene = Scene::of_commits();
    scene.arena.execute(
        "DELETE FROM accounts; INSERT INTO accounts (id, owner, balance) VALUES \
         (1, 'a', 0), (2, 'b', 0), (6, 'b', 0), (7, 'a', 0)",
    );
    let third = scene.play.session("third");
    does(&third, "SELECT 1 FROM accounts WHERE id = 6 FOR UPDATE");
    // Both models lose their row. The one goes on to 7. For the other 6 would be next, and it comes before 7.
    does(&scene.holder, "UPDATE accounts SET owner = 'gone' WHERE id IN (1, 2)");
    let waiting = scene.locker.start("locks", |s| {
        super::begin(s, true);
        let first = |owner| accounts::table.filter(accounts::owner.eq(owner)).order(accounts::id).limit(1);
        let set = LockSet::new().query::<Account>(first("a")).query::<AccountSummary>(first("b"));
        s.lock_set(set).map(|locked| account_ids(&locked))
    });
    waiting.blocked_by(&scene.holder);
    scene.holder.run("commits", |s| s.commit().unwrap());
    assert!(!waiting.still_blocked(), "waits for 6 while it holds 7");
    let error = waiting.join().unwrap_err();
    assert!(matches!(error, LockError::LimitedRowsChanged { .. }), "{error:?}");
}
