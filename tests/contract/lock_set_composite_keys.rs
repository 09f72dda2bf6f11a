//! Keys of several columns: exactly the rows that were named, in the order of the columns.

use diesel_lockset::{LockError, LockSet};

use super::{
    Arena, Driver,
    stale::{event, seat, seat_keys},
};
use crate::{
    isolation::Play,
    support::{
        driver::Session,
        models::{Event, Seat},
    },
};

const SEAT: &str = "(section, number)";

/// H14.
#[test]
fn exactly_the_rows_named_are_locked_and_not_the_product_of_their_columns() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let locked = session.lock_set(LockSet::new().row(&seat("B", 1)).row(&seat("A", 2))).unwrap();
    assert_eq!(seat_keys(&locked), [("A", 2), ("B", 1)]);
    assert_eq!(arena.held_keys("seats", SEAT), ["(A,2)", "(B,1)"]);
    session.commit().unwrap();
}

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

/// H07, H09, H14.
#[test]
fn duplicates_and_missing_rows_are_told_by_the_whole_key() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let keys = [("B", 2), ("A", 9), ("B", 2), ("Z", 1), ("A", 1), ("A", 9)];
    let keys = || keys.map(|(section, number)| (section.to_owned(), number));
    let error = session.lock_set(LockSet::new().ids::<Seat>(keys())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Seat (\"A\", 9) and Seat (\"Z\", 1) do not exist: deleted since it was loaded, or never there"
    );
    let locked = session.lock_set(LockSet::new().ids::<Seat>(keys()).allow_missing()).unwrap();
    assert_eq!(seat_keys(&locked), [("A", 1), ("B", 2)]);
    assert_eq!(locked.missing().len(), 2);
    assert_eq!(locked.missing()[0].key().get(), Some(&("A".to_owned(), 9)));
    assert!(matches!(locked.id::<Seat>(("Z".to_owned(), 1)), Err(LockError::Missing { .. })));
    assert!(matches!(locked.id::<Seat>(("C".to_owned(), 1)), Err(LockError::NotInSet { .. })));
    session.commit().unwrap();
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
