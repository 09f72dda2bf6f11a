//! Keys of several columns: exactly the rows that were named, in the order of the columns.

use diesel_lockset::{LockError, LockSet};

use super::{
    Arena, Driver,
    stale::{seat, seat_keys},
};
use crate::support::{driver::Session, models::Seat};

pub(super) const SEAT: &str = "(section, number)";

/// H14.
#[test]
fn exactly_the_rows_named_are_locked_and_not_the_product_of_their_columns() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let locked = session.lock_set(LockSet::new().row(&seat("B", 1)).row(&seat("A", 2))).unwrap();
    assert_eq!(seat_keys(&locked), [("A", 2), ("B", 1)]);
    arena.assert_held("seats", SEAT, &["(A,2)", "(B,1)"]);
    session.commit().unwrap();
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
