//! Several workers at once: each gets a row of its own without waiting for anybody.

use super::{Arena, Driver, begin_and_pick, ids, new_mail, pick_id, verbs::PickDsl};
use crate::{
    isolation::Play,
    support::{driver::Session, models::Job, server::numbers},
};

/// J02.
#[test]
fn a_second_worker_gets_the_second_row_at_once() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    assert_eq!(one.run("picks", begin_and_pick), Some(4));
    assert_eq!(two.run("picks", begin_and_pick), Some(3));
}

/// J04, E02.
#[test]
fn if_nothing_is_free_there_is_nothing_and_no_wait_and_no_error() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (holder, worker) = (play.session("holder"), play.session("worker"));
    holder.run("takes all", |s| {
        s.begin().unwrap();
        assert_eq!(s.execute("SELECT 1 FROM jobs FOR UPDATE").unwrap(), 5);
    });
    assert_eq!(worker.run("picks", begin_and_pick), None);
    let none = worker.run("picks many", |s| new_mail().pick::<Job>(10, s.conn()).unwrap());
    assert_eq!(ids(&none), [0; 0]);
    let none = worker.run("claims", |s| {
        use crate::support::schema::jobs;
        use diesel::prelude::*;
        new_mail().claim::<Job, _>(3, jobs::status.eq("TAKEN"), s.conn()).unwrap()
    });
    assert_eq!(ids(&none), [0; 0]);
    holder.run("deletes all", |s| {
        s.execute("DELETE FROM jobs").unwrap();
        s.commit().unwrap();
    });
    assert_eq!(worker.run("picks from an empty table", pick_id), None);
    // The transaction is usable all along.
    worker.run("commits", |s| {
        s.execute("INSERT INTO jobs (id) VALUES (9)").unwrap();
        s.commit().unwrap();
    });
    assert_eq!(arena.number("SELECT count(*) FROM jobs"), 1);
}

/// J07.
#[test]
fn a_rollback_puts_the_row_back_and_a_commit_retires_it() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    assert_eq!(one.run("picks", begin_and_pick), Some(4));
    one.run("rolls back", |s| {
        s.execute("UPDATE jobs SET status = 'DONE' WHERE id = 4").unwrap();
        s.rollback().unwrap();
    });
    assert_eq!(two.run("picks", begin_and_pick), Some(4));
    two.run("commits", |s| {
        s.execute("UPDATE jobs SET status = 'DONE' WHERE id = 4").unwrap();
        s.commit().unwrap();
    });
    assert_eq!(one.run("picks", begin_and_pick), Some(3));
}

/// J07.
#[test]
fn a_rolled_back_savepoint_puts_the_row_back_too() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    one.run("begins", |s| s.begin().unwrap());
    assert_eq!(one.run("picks in a savepoint", begin_and_pick), Some(4));
    one.run("rolls the savepoint back", |s| s.rollback().unwrap());
    assert_eq!(two.run("picks", begin_and_pick), Some(4));
}

/// J09.
#[test]
fn a_worker_that_dies_gives_its_row_back() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (one, two) = (play.session("one"), play.session("two"));
    assert_eq!(one.run("picks", begin_and_pick), Some(4));
    one.run("works", |s| s.execute("UPDATE jobs SET status = 'HALF' WHERE id = 4").unwrap());
    one.kill();
    assert_eq!(two.run("picks", begin_and_pick), Some(4));
    assert_eq!(arena.text("SELECT status FROM jobs WHERE id = 4").as_deref(), Some("NEW"));
}

/// J10.
#[test]
fn a_long_holder_of_the_first_row_does_not_hold_up_the_others() {
    let arena = Arena::new();
    arena.execute(&format!("INSERT INTO jobs (id, priority) SELECT n, n FROM {}", numbers(101, 110)));
    let play = Play::<Driver>::new(&arena);
    let (slow, quick) = (play.session("slow"), play.session("quick"));
    assert_eq!(slow.run("picks and works and works", begin_and_pick), Some(4));
    // Each step would hang if it waited for the slow one, who does not move before the end of the test.
    let done: Vec<_> = (0..10)
        .map(|_| {
            quick.run("picks and finishes", |s| {
                let id = begin_and_pick(s)?;
                s.execute(&format!("UPDATE jobs SET status = 'DONE' WHERE id = {id}")).unwrap();
                s.commit().unwrap();
                Some(id)
            })
        })
        .collect();
    assert_eq!(done.iter().flatten().count(), 10, "{done:?}");
    assert!(!done.contains(&Some(4)));
}

/// E07.
#[test]
fn a_row_with_a_queue_in_front_of_it_is_skipped() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (holder, waiter, worker) = (play.session("holder"), play.session("waiter"), play.session("worker"));
    assert_eq!(holder.run("picks", begin_and_pick), Some(4));
    let waiting = waiter.start("updates", |s| s.execute("UPDATE jobs SET attempts = 1 WHERE id = 4").unwrap());
    waiting.blocked_by(&holder);
    assert_eq!(worker.run("picks", begin_and_pick), Some(3));
    holder.run("commits", |s| s.commit().unwrap());
    assert_eq!(waiting.join(), 1);
}
