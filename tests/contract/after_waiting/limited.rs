//! Queries with a limit: when a row leaves, the next one takes its place if it is free.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet};

use super::{
    Driver, Scene, does,
    stale::{job, job_ids, seat_keys},
};
use crate::support::{
    driver::Session,
    models::{Job, Order, Seat},
    schema::{customers, jobs, orders, seats},
};

const DONE_1: &str = "UPDATE jobs SET status = 'DONE' WHERE id = 1";

/// The first of the jobs that are NEW, in the order of the key.
fn first(limit: i64) -> impl FnOnce(&mut Driver) -> Vec<i64> {
    move |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW")).order(jobs::id).limit(limit);
        job_ids(&s.lock_set(LockSet::new().query::<Job>(new)).unwrap())
    }
}

/// F03.
#[test]
fn the_next_match_takes_the_place_of_one_that_left() {
    let scene = Scene::of("jobs");
    assert_eq!(scene.after(DONE_1, first(1)), [2]);
    assert!(scene.held("jobs", "id").contains(&"2".to_owned()));
    assert!(!scene.held("jobs", "id").contains(&"3".to_owned()));
    assert_eq!(scene.after(DONE_1, first(2)), [2, 3]);
    assert_eq!(scene.after(DONE_1, first(4)), [2, 3, 4]);
}

/// F03, F04.
#[test]
fn the_next_match_takes_the_place_of_one_that_was_deleted() {
    let scene = Scene::of("jobs");
    let delete = "DELETE FROM jobs WHERE id = 1";
    assert_eq!(scene.after_undoing(delete, first(1)), [1]);
    assert_eq!(scene.after(delete, first(1)), [2]);
}

/// F03, F04.
#[test]
fn the_next_match_completes_the_number_when_one_of_several_was_deleted() {
    let scene = Scene::of("jobs");
    assert_eq!(scene.after("DELETE FROM jobs WHERE id = 1", first(2)), [2, 3]);
    assert_eq!(scene.after("DELETE FROM jobs WHERE id = 2", first(2)), [1, 3]);
    assert_eq!(scene.after("UPDATE jobs SET id = 9 WHERE id = 2", first(2)), [1, 3]);
}

/// F03.
#[test]
fn a_boxed_query_and_one_with_an_offset_move_on_too() {
    let scene = Scene::of("jobs");
    let boxed = scene.after(DONE_1, |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW")).order(jobs::id).limit(1).into_boxed();
        job_ids(&s.lock_set(LockSet::new().query::<Job>(new)).unwrap())
    });
    assert_eq!(boxed, [2]);
    let second = scene.after("UPDATE jobs SET status = 'DONE' WHERE id = 2", |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW")).order(jobs::id).limit(1).offset(1);
        job_ids(&s.lock_set(LockSet::new().query::<Job>(new)).unwrap())
    });
    assert_eq!(second, [3]);
    assert!(!scene.held("jobs", "id").contains(&"1".to_owned()), "what an offset skips is not locked");
}

/// F01.
#[test]
fn a_changed_row_that_is_still_the_first_comes_back_fresh() {
    let scene = Scene::new();
    let payloads = scene.after("UPDATE jobs SET payload = 'fresh' WHERE id = 1", |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW")).order(jobs::id).limit(2);
        let jobs = s.lock_set(LockSet::new().query::<Job>(new)).unwrap().take_rows::<Job>();
        jobs.into_iter().map(|job| job.payload).collect::<Vec<_>>()
    });
    assert_eq!(payloads, ["fresh", "to ben"]);
    assert_eq!(scene.held("jobs", "id"), ["1", "2"]);
}

/// F03.
#[test]
fn nothing_left_is_no_error() {
    let scene = Scene::of("jobs");
    assert_eq!(scene.after("UPDATE jobs SET status = 'DONE'", first(1)), [0; 0]);
    assert_eq!(scene.after("DELETE FROM jobs", first(3)), [0; 0]);
}

/// The order is at its end by then: what is not free ends in an error that is retried, and the next try waits for it.
///
/// F03, H02.
#[test]
fn the_next_match_is_not_waited_for_behind_the_order() {
    let and_the_third = "UPDATE jobs SET status = 'DONE' WHERE id = 2; DELETE FROM jobs WHERE id = 3";
    for (change, then) in [("UPDATE jobs SET payload = 'fresh' WHERE id = 2", 2), (and_the_third, 4)] {
        let scene = Scene::new();
        let third = scene.play.session("third");
        does(&scene.holder, DONE_1);
        does(&third, change);
        let waiting = scene.locker.start("locks the first", |s| {
            s.begin().unwrap();
            let new = jobs::table.filter(jobs::status.eq("NEW")).order(jobs::id).limit(1);
            let error = s.lock_set(LockSet::new().query::<Job>(new)).unwrap_err();
            s.rollback().unwrap();
            error
        });
        waiting.blocked_by(&scene.holder);
        scene.holder.run("commits", |s| s.commit().unwrap());
        let error = waiting.join();
        assert!(matches!(error, LockError::LimitedRowsChanged { .. }) && error.is_retryable(), "{change}: {error:?}");
        let again = scene.locker.start("locks the first again", |s| {
            s.begin().unwrap();
            first(1)(s)
        });
        again.blocked_by(&third);
        third.run("commits", |s| s.commit().unwrap());
        // Nobody holds the fourth.
        assert_eq!(again.join(), [then], "{change}");
        assert!(scene.held("jobs", "id").contains(&then.to_string()));
    }
}

/// F03.
#[test]
fn a_row_that_still_matches_but_is_no_longer_the_first_gives_way() {
    let scene = Scene::of_commits();
    let jobs = scene.after("UPDATE jobs SET attempts = 1 WHERE id = 1", |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW")).order((jobs::attempts, jobs::id)).limit(1);
        job_ids(&s.lock_set(LockSet::new().query::<Job>(new)).unwrap())
    });
    assert_eq!(jobs, [2]);
}

/// F03.
#[test]
fn instances_beside_a_limited_query_stay() {
    let scene = Scene::of("jobs");
    let jobs = scene.after(DONE_1, |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW")).order(jobs::id).limit(1);
        job_ids(&s.lock_set(LockSet::new().row(&job(1)).query::<Job>(new).row(&job(5)).row(&job(2))).unwrap())
    });
    assert_eq!(jobs, [1, 2, 5]);
    let jobs = scene.after(DONE_1, |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW")).order(jobs::id).limit(1);
        job_ids(&s.lock_set(LockSet::new().row(&job(1)).query::<Job>(new)).unwrap())
    });
    assert_eq!(jobs, [1, 2]);
}

/// F02, F03.
#[test]
fn a_limited_and_an_unlimited_query_are_each_looked_at_in_their_way() {
    let scene = Scene::new();
    let change = "UPDATE jobs SET status = 'DONE' WHERE id = 1; UPDATE jobs SET priority = 0 WHERE id = 2";
    let jobs = scene.after(change, |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW")).order(jobs::id).limit(1);
        let urgent = jobs::table.filter(jobs::priority.ge(20));
        let mut locked = s.lock_set(LockSet::new().query::<Job>(new).query::<Job>(urgent)).unwrap();
        locked.take_rows::<Job>().into_iter().map(|job| (job.id, job.status, job.priority)).collect::<Vec<_>>()
    });
    // 1 is no longer new, but urgent; 2 is no longer urgent, but the first that is new.
    assert_eq!(jobs, [(1, "DONE".to_owned(), 30), (2, "NEW".to_owned(), 0)]);
}

/// F03, H14.
#[test]
fn composite_keys_move_on() {
    let scene = Scene::new();
    let change = "UPDATE seats SET holder = 'x' WHERE section = 'A' AND number = 2";
    let seats = scene.after(change, |s| {
        let free = seats::table.filter(seats::holder.is_null()).order((seats::section, seats::number)).limit(3);
        let locked = s.lock_set(LockSet::new().query::<Seat>(free)).unwrap();
        seat_keys(&locked).into_iter().map(|(section, number)| format!("{section}{number}")).collect::<Vec<_>>()
    });
    assert_eq!(seats, ["A1", "B1", "B2"]);
    assert!(!scene.held("seats", "(section, number)").contains(&"(C,1)".to_owned()));
}

/// F03.
#[test]
fn a_limited_join_moves_on() {
    let scene = Scene::new();
    let orders = scene.after("UPDATE orders SET status = 'paid' WHERE id = 1", |s| {
        let open = orders::table.inner_join(customers::table).filter(orders::status.eq("open"));
        let first = open.order((customers::name, orders::id)).limit(2);
        let locked = s.lock_set(LockSet::new().query::<Order>(first)).unwrap();
        locked.rows::<Order>().iter().map(|order| order.id).collect::<Vec<_>>()
    });
    assert_eq!(orders, [2, 3]);
    assert_eq!(scene.held("customers", "id"), Vec::<String>::new());
}

/// F03, I08.
#[test]
fn a_distinct_query_moves_on() {
    let scene = Scene::new();
    let jobs = scene.after(DONE_1, |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW")).distinct();
        job_ids(&s.lock_set(LockSet::new().query::<Job>(new.order(jobs::id).limit(2))).unwrap())
    });
    assert_eq!(jobs, [2, 3]);
}

/// F03, I08.
#[test]
fn a_distinct_query_moves_on_that_is_ordered_by_a_column_which_is_no_key() {
    let scene = Scene::new();
    let jobs = scene.after(DONE_1, |s| {
        let new = jobs::table.filter(jobs::status.eq("NEW")).distinct();
        job_ids(&s.lock_set(LockSet::new().query::<Job>(new.order(jobs::priority.desc()).limit(2))).unwrap())
    });
    assert_eq!(jobs, [2, 3]);
}
