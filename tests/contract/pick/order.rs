//! Which row is picked: filters, orders, boxed queries, numbers of rows.

use diesel::prelude::*;

use super::{Arena, Driver, ids, new_mail, pick_id, quoted, verbs::PickDsl};
use crate::support::{
    driver::Session,
    models::{Job, OddOrder, Seat},
    schema::{jobs, odd_order, seats},
};

/// J01.
#[test]
fn the_first_row_by_the_given_order_is_picked_and_held_and_no_other() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let picked: Option<Job> = new_mail().pick_next(session.conn()).unwrap();
    let picked = picked.unwrap();
    assert_eq!((picked.id, picked.priority, &*picked.payload), (4, 5, "to dan"));
    arena.assert_held("jobs", "id", &["4"]);
    session.commit().unwrap();
    assert!(arena.held_keys("jobs", "id").is_empty(), "the lock ends with the transaction");
}

/// J05.
#[test]
fn a_row_that_does_not_match_is_never_picked() {
    let arena = Arena::new();
    arena.execute(
        "UPDATE jobs SET queue = 'print' WHERE id = 4; UPDATE jobs SET run_at = '2999-01-01' WHERE id = 3; \
         UPDATE jobs SET status = 'DONE' WHERE id = 2",
    );
    let mut session = Driver::connect(arena.url());
    let due = || new_mail().filter(jobs::run_at.le(diesel::dsl::now));
    session.begin().unwrap();
    let all: Vec<Job> = due().pick(10, session.conn()).unwrap();
    assert_eq!(ids(&all), [1]);
    session.execute("UPDATE jobs SET status = 'DONE' WHERE id = 1").unwrap();
    let none: Option<Job> = due().pick_next(session.conn()).unwrap();
    assert_eq!(none, None);
    session.commit().unwrap();
}

/// J06.
#[test]
fn priority_decides_and_then_the_tie_break() {
    let arena = Arena::new();
    arena.execute("UPDATE jobs SET priority = CASE WHEN id IN (1, 3) THEN 5 ELSE 10 END");
    let mut session = Driver::connect(arena.url());
    let picked: Vec<_> = (0..5)
        .map(|_| {
            session.begin().unwrap();
            let id = pick_id(&mut session);
            if let Some(id) = id {
                session.execute(&format!("UPDATE jobs SET status = 'DONE' WHERE id = {id}")).unwrap();
            }
            session.commit().unwrap();
            id
        })
        .collect();
    assert_eq!(picked, [Some(1), Some(3), Some(2), Some(4), None]);
}

#[test]
fn no_rows_at_all_can_be_asked_for() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    assert_eq!(new_mail().pick::<Job>(0, session.conn()).unwrap(), []);
    assert_eq!(new_mail().claim::<Job, _>(0, jobs::status.eq("TAKEN"), session.conn()).unwrap(), []);
    assert!(arena.held_keys("jobs", "id").is_empty());
}

#[test]
fn as_many_as_there_are_can_be_asked_for() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    assert_eq!(ids(&new_mail().pick(u32::MAX, session.conn()).unwrap()), [4, 3, 2, 1]);
}

#[test]
fn the_order_may_be_any_and_is_that_of_the_answer() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let last: Vec<Job> = jobs::table.order(jobs::payload.desc()).pick(2, session.conn()).unwrap();
    assert_eq!(last.iter().map(|job| &*job.payload).collect::<Vec<_>>(), ["to eve", "to dan"]);
    let by_length: Vec<Job> = jobs::table
        .order((diesel::dsl::sql::<diesel::sql_types::Integer>("length(payload)"), jobs::id.desc()))
        .pick(3, session.conn())
        .unwrap();
    assert_eq!(ids(&by_length), [5, 4, 2]);
}

#[test]
fn a_whole_table_is_a_queue_too() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let any: Option<Seat> = seats::table.pick_next(session.conn()).unwrap();
    assert!(any.is_some());
    let all: Vec<Seat> = seats::table.order((seats::section, seats::number)).pick(9, session.conn()).unwrap();
    let all: Vec<_> = all.iter().map(|seat| (&*seat.section, seat.number)).collect();
    assert_eq!(all, [("A", 1), ("A", 2), ("B", 1), ("B", 2), ("C", 1)], "composite keys");
}

#[test]
fn words_of_sql_as_names_are_picked_and_claimed() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let next: Option<OddOrder> = odd_order::table.order(odd_order::kind).pick_next(session.conn()).unwrap();
    assert_eq!(next.map(|order| order.category).as_deref(), Some("magnitude"));
    let taken: Vec<OddOrder> =
        odd_order::table.order(odd_order::kind.desc()).claim(1, odd_order::skip.eq(7), session.conn()).unwrap();
    assert_eq!((taken[0].code, taken[0].skip), (2, 7));
    arena.assert_held(&quoted("order"), &quoted("key"), &["2", "3"]);
}
