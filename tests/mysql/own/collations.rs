//! Keys that are equal to the server and not to Rust: the servers' default collations do not tell large letters from small ones.

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet, Lockable};

use super::{Arena, Driver};
use crate::support::driver::Session;

diesel::table! {
    people (name) {
        name -> Text,
        v -> Integer,
    }
}

#[derive(Debug, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = people, primary_key(name))]
struct Person {
    name: String,
    v: i32,
}

type Set = LockSet<'static, <Driver as Session>::Backend>;

fn people(names: &[&str]) -> Set {
    LockSet::new().ids::<Person>(names.iter().map(ToString::to_string))
}

fn arena() -> Arena {
    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE people (name varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY, \
         v int NOT NULL) ENGINE = InnoDB; INSERT INTO people VALUES ('Ada', 1), ('Bob', 2), ('Cyd', 3)",
    );
    arena
}

/// H07.
#[test]
fn one_row_by_two_spellings_is_locked_once() {
    let arena = arena();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    for names in [&["ada", "ADA"][..], &["ADA", "Ada", "ada", "cyd"]] {
        let locked = session.lock_set(people(names)).unwrap();
        let found: Vec<&str> = locked.rows::<Person>().iter().map(|person| &*person.name).collect();
        assert_eq!(found, if names.len() == 2 { &["Ada"][..] } else { &["Ada", "Cyd"] });
        for name in names {
            assert!(locked.id::<Person>(*name).unwrap().name.eq_ignore_ascii_case(name));
        }
    }
}

/// H09.
#[test]
fn only_what_is_missing_is_named_as_missing() {
    let arena = arena();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let missing = |set: Result<_, LockError>| match set.map(drop) {
        Err(LockError::Missing { rows }) => rows.iter().map(ToString::to_string).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let names = &["ada", "nobody", "BOB"];
    let waiting = missing(session.lock_set(people(names)));
    assert!(waiting.len() == 1 && waiting[0].contains("nobody"), "{waiting:?}");
    let at_once = missing(session.lock_set(people(names).no_wait()));
    assert_eq!(at_once, waiting);
}

/// D01, E03.
#[test]
fn what_is_held_is_skipped_and_what_is_there_is_found() {
    let arena = arena();
    let (mut holder, mut session) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    holder.begin().unwrap();
    holder.lock_set(people(&["bob"])).unwrap();
    session.begin().unwrap();
    let locked = session.lock_set(people(&["ada", "bob", "CYD"]).skip_locked()).unwrap();
    let found: Vec<&str> = locked.rows::<Person>().iter().map(|person| &*person.name).collect();
    assert_eq!(found, ["Ada", "Cyd"]);
    assert_eq!(locked.skipped().len(), 1);
    let error = session.lock_set(people(&["ada", "bob"]).no_wait()).unwrap_err();
    let LockError::Contended { rows, .. } = &error else { panic!("{error:?}") };
    assert_eq!(rows.len(), 1, "{error}");
}
