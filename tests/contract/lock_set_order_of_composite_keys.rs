//! Rows with keys of several columns are locked in the order of the columns.

use diesel_lockset::LockSet;

use super::{
    Arena, Driver,
    lock_set_composite_keys::SEAT,
    stale::{event, seat},
};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Event, Seat},
    },
};

/// H14.
#[test]
fn rows_are_locked_in_the_order_of_the_first_column_then_the_second() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (outsider, locker) = (play.session("outsider"), play.session("locker"));
    outsider.run("holds (A,2)", |s| {
        s.begin().unwrap();
        s.lock_by_id::<Seat>(("A".to_owned(), 2)).unwrap();
    });
    let waiting = locker.start("locks all", |s| {
        s.begin().unwrap();
        let seats = [("C", 1), ("A", 2), ("B", 2), ("A", 1), ("B", 1)].map(|(section, number)| seat(section, number));
        s.lock_set(LockSet::new().rows(&seats)).unwrap().take_rows::<Seat>().len()
    });
    waiting.blocked_by(&outsider);
    assert_eq!(arena.held_keys("seats", SEAT), ["(A,1)", "(A,2)"]);
    outsider.run("commits", |s| s.commit().unwrap());
    assert_eq!(waiting.join(), 5);
    assert_eq!(arena.held_keys("seats", SEAT).len(), 5);
}

/// H01, H14.
#[test]
fn rows_of_several_partitions_are_locked_in_one_order() {
    let arena = Arena::new();
    let play = Play::<Driver>::new(&arena);
    let (outsider, locker) = (play.session("outsider"), play.session("locker"));
    outsider.run("holds (1,south)", |s| {
        s.begin().unwrap();
        s.lock(&event(1, "south")).unwrap();
    });
    let waiting = locker.start("locks", |s| {
        s.begin().unwrap();
        let events = [event(3, "east"), event(1, "south"), event(1, "north")];
        s.lock_set(LockSet::new().rows(&events)).unwrap().take_rows::<Event>()
    });
    waiting.blocked_by(&outsider);
    assert_eq!(arena.held_keys("events", "(id, region)"), ["(1,north)", "(1,south)"]);
    outsider.run("commits", |s| s.commit().unwrap());
    let events: Vec<_> = waiting.join().into_iter().map(|event| (event.id, event.region)).collect();
    assert_eq!(events, [(1, "north".to_owned()), (1, "south".to_owned()), (3, "east".to_owned())]);
    assert_eq!(arena.held_keys("events", "(id, region)"), ["(1,north)", "(1,south)", "(3,east)"]);
}
