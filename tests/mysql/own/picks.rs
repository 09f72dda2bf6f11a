//! The next free row where no index serves the order: the second worker is not left with nothing.

use diesel::{connection::InstrumentationEvent, prelude::*};
use diesel_lockset::{LockError, LockSet};

use super::{
    Arena, Driver,
    stock::{Item, arena_of, candidates, marks, stock},
    verbs::PickDsl,
};
use crate::{
    isolation::Play,
    support::{driver::Session, models::Child, schema::children, server::Server},
};

/// J02.
#[test]
fn each_worker_gets_the_next_row_without_an_index_for_the_order() {
    let arena = arena_of(300);
    for level in ["ISOLATION LEVEL READ COMMITTED", "ISOLATION LEVEL REPEATABLE READ"] {
        let play = Play::<Driver>::new(&arena);
        let workers = ["first", "second", "third"].map(|name| play.session(name));
        for (worker, expected) in workers.iter().zip([300, 299, 298]) {
            let next = worker.run("takes the next", move |s| {
                s.begin_as(level).unwrap();
                let next: Option<Item> =
                    stock::table.order((stock::note, stock::id.desc())).pick_next(s.conn()).unwrap();
                next.map(|item| item.id)
            });
            assert_eq!(next, Some(expected), "{level}");
        }
        assert_eq!(arena.held_keys("stock", "id"), ["298", "299", "300"], "{level}");
        for worker in &workers {
            worker.run("commits", |s| s.commit().unwrap());
        }
    }
}

/// The control: what the statement without the crate gives the second worker.
#[test]
fn control_the_clause_on_the_query_itself_leaves_the_second_worker_nothing() {
    let arena = arena_of(300);
    let (mut first, mut second) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let bare = "SELECT id FROM stock ORDER BY note, id DESC LIMIT 1 FOR UPDATE SKIP LOCKED";
    first.begin().unwrap();
    second.begin().unwrap();
    assert_eq!((first.execute(bare), second.execute(bare)), (Ok(1), Ok(0)));
}

/// J10.
#[test]
fn more_candidates_than_the_first_look_takes_are_held_and_the_rest_is_found() {
    let arena = arena_of(300);
    let (mut greedy, mut modest) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    greedy.begin().unwrap();
    modest.begin().unwrap();
    let cheapest = || stock::table.order(stock::price);
    let held: Vec<Item> = cheapest().pick(200, greedy.conn()).unwrap();
    assert_eq!(held.iter().map(|item| item.price).collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
    let next: Vec<Item> = cheapest().pick(2, modest.conn()).unwrap();
    assert_eq!(next.iter().map(|item| item.price).collect::<Vec<_>>(), [200, 201]);
    let rest: Vec<Item> = cheapest().pick(500, modest.conn()).unwrap();
    assert_eq!(rest.len(), 100, "the two that it holds, and what nobody holds");
}

/// J01, J10, J11.
#[test]
fn what_the_first_look_takes_is_kept_when_it_is_not_enough() {
    let arena = arena_of(300);
    for (free, expected) in [(&[0][..], &[0][..]), (&[0, 250], &[0, 250]), (&[5, 200, 290], &[5, 200])] {
        let (mut greedy, mut modest) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
        greedy.begin().unwrap();
        let held = (0..300).filter(|price| !free.contains(price)).map(|price| 300 - price);
        greedy.lock_set(LockSet::new().ids::<Item>(held)).unwrap();
        modest.begin().unwrap();
        let picked: Vec<Item> = stock::table.order(stock::price).pick(2, modest.conn()).unwrap();
        assert_eq!(picked.iter().map(|item| item.price).collect::<Vec<_>>(), expected, "{free:?}");
        greedy.rollback().unwrap();
        let held: Vec<String> = picked.iter().rev().map(|item| item.id.to_string()).collect();
        assert_eq!(arena.held_keys("stock", "id"), held, "{free:?}");
        let changes = stock::note.eq("mine");
        let claimed: Vec<Item> = stock::table.order(stock::price).claim(2, changes, modest.conn()).unwrap();
        assert_eq!(claimed.iter().map(|item| item.price).collect::<Vec<_>>(), [0, 1], "{free:?}");
        modest.rollback().unwrap();
    }
}

/// J04.
#[test]
fn rows_behind_those_that_are_claimed_meanwhile_are_not_overlooked() {
    let arena = arena_of(130);
    for level in ["ISOLATION LEVEL READ COMMITTED", "ISOLATION LEVEL REPEATABLE READ"] {
        arena.execute("UPDATE stock SET note = 'new'");
        let (mut first, mut second) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
        let next = || stock::table.filter(stock::note.eq("new")).order(stock::price);
        first.begin_as("ISOLATION LEVEL READ COMMITTED").unwrap();
        let claimed: Vec<Item> = next().claim(100, stock::note.eq("mine"), first.conn()).unwrap();
        assert_eq!(claimed.len(), 100);
        second.begin_as(level).unwrap();
        // All that the second sees first are held. The claim is committed before it asks whether there are more.
        let mut first = Some(first);
        second.conn().set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::StartQuery { query, .. } = event {
                if query.to_string().contains("COUNT(*)") {
                    if let Some(mut first) = first.take() {
                        first.commit().unwrap();
                    }
                }
            }
        });
        let picked: Result<Option<Item>, LockError> = next().pick_next(second.conn());
        if arena.fails_on_stale_rows() && level != "ISOLATION LEVEL READ COMMITTED" {
            // MariaDB from 11.6.2 on: rows that are newer than the snapshot are an error, which is retried.
            assert!(matches!(picked, Err(LockError::Serialization { .. })), "{level}: {picked:?}");
            continue;
        }
        assert_eq!(picked.unwrap().map(|item| item.price), Some(100), "{level}");
    }
}

/// J08.
#[test]
fn a_row_that_a_join_repeats_is_changed_once() {
    let arena = arena_of(700);
    arena.execute(
        "CREATE TABLE marks (id int PRIMARY KEY, item int NOT NULL) ENGINE = InnoDB; \
         INSERT INTO marks SELECT id, IF(id = 600, 1, id) FROM stock; ANALYZE TABLE marks",
    );
    let mut session = Driver::connect(arena.url());
    let marked = stock::table.inner_join(marks::table).order(marks::id);
    let claimed: Vec<Item> = marked.claim(700, stock::price.eq(stock::price + 1000), session.conn()).unwrap();
    assert_eq!(claimed.len(), 699);
    assert_eq!(arena.number("SELECT count(*) FROM stock WHERE price >= 2000"), 0);
    assert_eq!(arena.number("SELECT count(*) FROM stock WHERE price >= 1000"), 699);
}

/// The statement of a pick calls something so.
#[test]
fn a_filter_may_look_into_a_table_called_candidates() {
    let arena = arena_of(9);
    arena.execute(
        "CREATE TABLE candidates (id int PRIMARY KEY) ENGINE = InnoDB; INSERT INTO candidates VALUES (3), (5)",
    );
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let named = stock::table.filter(stock::id.eq_any(candidates::table.select(candidates::id))).order(stock::id);
    let picked: Vec<Item> = named.pick(3, session.conn()).unwrap();
    assert_eq!(picked.iter().map(|item| item.id).collect::<Vec<_>>(), [3, 5]);
}

#[test]
fn a_claim_that_changes_the_key_is_refused_and_undone() {
    let arena = arena_of(9);
    let mut session = Driver::connect(arena.url());
    let claimed: Result<Vec<Item>, LockError> =
        stock::table.order(stock::id).claim(2, stock::id.eq(stock::id + 100), session.conn());
    let said = claimed.unwrap_err().to_string();
    assert!(said.contains("primary key"), "{said}");
    assert_eq!(arena.number("SELECT max(id) FROM stock"), 9);
}

/// J02, I14.
#[test]
fn a_candidate_that_has_left_the_query_makes_place_for_the_next() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.execute(&<Driver as Session>::Server::isolate("REPEATABLE READ")).unwrap();
    session.begin().unwrap();
    session.number("SELECT count(*) FROM children").unwrap();
    // The snapshot still shows child 10 as one of parent 1, with its note.
    arena.execute("UPDATE children SET note = 'gone' WHERE id = 10");
    let of_one =
        children::table.filter(children::parent_id.eq(1)).filter(children::note.ne("gone")).order(children::id);
    let picked = of_one.pick_next::<Child>(session.conn());
    if arena.fails_on_stale_rows() {
        assert!(matches!(&picked, Err(error) if error.is_retryable()), "{picked:?}");
    } else {
        assert_eq!(picked.unwrap().map(|child| child.id), Some(11));
    }
}
