//! The next free row where no index serves the order: the second worker is not left with nothing.

use diesel::prelude::*;
use diesel_lockset::PickDsl;

use super::{
    Arena, Driver,
    stock::{Item, arena_of, stock},
};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::Child,
        schema::{children, parents},
        server::Server,
    },
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

/// J02, I14.
#[test]
fn a_candidate_of_a_join_that_has_left_it_makes_place_for_the_next() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.execute(&<Driver as Session>::Server::isolate("REPEATABLE READ")).unwrap();
    session.begin().unwrap();
    session.number("SELECT count(*) FROM children").unwrap();
    // The snapshot still shows child 10 as one of parent 1, with its note.
    arena.execute("UPDATE children SET note = 'gone' WHERE id = 10");
    let of_one = children::table
        .inner_join(parents::table)
        .filter(parents::id.eq(1))
        .filter(children::note.ne("gone"))
        .order(children::id);
    let picked = of_one.pick_next::<Child, _>(session.conn());
    if arena.fails_on_stale_rows() {
        assert!(matches!(&picked, Err(error) if error.is_retryable()), "{picked:?}");
    } else {
        assert_eq!(picked.unwrap().map(|child| child.id), Some(11));
    }
}
