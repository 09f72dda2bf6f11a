//! Keys that are equal to the server and not to Rust: a collation that does not tell large letters from small ones, a time that is
//! finer than its column.

use chrono::{DateTime, Duration, Utc};
use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet, Lockable};

use super::{Arena, Driver, verbs::RunLockSet};
use crate::support::driver::Session;

diesel::table! {
    people (name) {
        name -> Text,
        n -> Integer,
    }
}

#[derive(Debug, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = people, primary_key(name))]
struct Person {
    name: String,
    n: i32,
}

diesel::table! {
    moments (at) {
        at -> Timestamptz,
        n -> Integer,
    }
}

#[derive(Debug, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = moments, primary_key(at))]
struct Moment {
    at: DateTime<Utc>,
    n: i32,
}

type Set = LockSet<'static, <Driver as Session>::Backend>;

fn arena() -> Arena {
    let arena = Arena::new();
    arena.execute(
        "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
         CREATE TABLE people (name text COLLATE ci PRIMARY KEY, n int NOT NULL); \
         INSERT INTO people VALUES ('Ada', 1), ('Bob', 2), ('Cyd', 3); \
         CREATE TABLE moments (at timestamptz PRIMARY KEY, n int NOT NULL)",
    );
    arena
}

fn people(names: &[&str]) -> Set {
    LockSet::new().ids::<Person>(names.iter().map(ToString::to_string))
}

fn names(rows: &[diesel_lockset::error::RowName]) -> Vec<String> {
    rows.iter().map(ToString::to_string).collect()
}

/// H07, H09.
#[test]
fn a_row_is_found_and_looked_up_by_any_of_its_spellings() {
    let arena = arena();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    for (asked, found) in
        [(&["ADA"][..], &["Ada"][..]), (&["ada", "ADA"], &["Ada"]), (&["bob", "Cyd", "ADA"], &["Ada", "Bob", "Cyd"])]
    {
        for locked in [
            session.lock_set(people(asked)).unwrap(),
            session.lock_set(people(asked).no_wait()).unwrap(),
            session.lock_set(people(asked).skip_locked()).unwrap(),
            session.lock_set(people(asked).query::<Person>(people::table.order(people::n).limit(1))).unwrap(),
        ] {
            let rows: Vec<&str> = locked.rows::<Person>().iter().map(|person| &*person.name).collect();
            assert_eq!(rows, found);
            assert!(locked.skipped().is_empty(), "{locked:?}");
            for name in asked {
                assert!(locked.id::<Person>(*name).unwrap().name.eq_ignore_ascii_case(name));
            }
        }
    }
}

/// H09.
#[test]
fn only_what_is_missing_is_named_as_missing() {
    let arena = arena();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let asked = &["ADA", "nobody", "bob"];
    for locked in [
        session.lock_set(people(asked).allow_missing()).unwrap(),
        session.lock_set(people(asked).allow_missing().no_wait()).unwrap(),
        session.lock_set(people(asked).allow_missing().skip_locked()).unwrap(),
    ] {
        assert_eq!(names(locked.missing()), ["Person \"nobody\""]);
        assert!(locked.skipped().is_empty());
    }
    let error = session.lock_set(people(asked)).unwrap_err();
    let LockError::Missing { rows } = &error else { panic!("{error:?}") };
    assert_eq!(names(rows), ["Person \"nobody\""]);
}

/// D01, E03.
#[test]
fn what_is_held_is_skipped_under_its_own_name() {
    let arena = arena();
    let (mut holder, mut session) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    holder.begin().unwrap();
    holder.lock_set(people(&["Bob"])).unwrap();
    session.begin().unwrap();
    let locked = session.lock_set(people(&["cyd", "BOB", "nobody", "bob"]).skip_locked().allow_missing()).unwrap();
    assert_eq!(names(locked.skipped()), ["Person \"Bob\""]);
    assert_eq!(names(locked.missing()), ["Person \"nobody\""]);
    assert_eq!(locked.rows::<Person>().len(), 1);
    let bob = Person { name: "BOB".into(), n: 0 };
    assert_eq!(bob.skip_locked().lock(session.conn()).unwrap(), None);
}

/// D01, H07.
#[test]
fn a_time_with_nanoseconds_is_that_of_its_row() {
    let arena = arena();
    let at = DateTime::from_timestamp(1_800_000_000, 123_456_789).unwrap();
    let (mut holder, mut session) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    let moment = Moment { at, n: 1 };
    let later = Moment { at: at + Duration::seconds(1), n: 2 };
    for moment in [&moment, &later] {
        let row = (moments::at.eq(moment.at), moments::n.eq(moment.n));
        diesel::insert_into(moments::table).values(row).execute(session.conn()).unwrap();
    }
    session.begin().unwrap();
    let locked = session.lock_set(LockSet::new().rows([&moment, &later])).unwrap();
    assert_eq!((locked.row(&moment).unwrap().n, locked.row(&later).unwrap().n), (1, 2));
    holder.begin().unwrap();
    assert_eq!(moment.skip_locked().lock(holder.conn()).unwrap(), None);
}
