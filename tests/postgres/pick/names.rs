//! Tables that are called what the helpers in a claim are called.

use diesel::prelude::*;
use diesel_lockset::{Lockable, PickDsl};

use crate::support::{
    arena::Arena,
    driver::{Blocking, Session},
};

macro_rules! claims_from {
    ($($test:ident: $name:literal;)*) => {$(
        #[test]
        fn $test() {
            diesel::table! {
                #[sql_name = $name]
                named (k0) {
                    k0 -> Integer,
                    place -> Integer,
                }
            }

            #[derive(Debug, PartialEq, Queryable, Selectable, Lockable)]
            #[diesel(table_name = named, primary_key(k0))]
            struct Named {
                k0: i32,
                place: i32,
            }

            let arena = Arena::new();
            arena.execute(concat!(
                "CREATE TABLE \"", $name, "\" (k0 integer PRIMARY KEY, place integer NOT NULL); \
                 INSERT INTO \"", $name, "\" SELECT n, 10 - n FROM generate_series(1, 9) n"
            ));
            let mut session = Blocking::connect(arena.url());
            let claimed: Vec<Named> =
                named::table.order(named::place).claim(2, named::place.eq(named::place + 100), session.conn()).unwrap();
            assert_eq!(claimed, [Named { k0: 9, place: 101 }, Named { k0: 8, place: 102 }]);
        }
    )*};
}

claims_from! {
    a_table_called_picked: "_picked";
    a_table_called_placed: "_placed";
    a_table_called_free: "_free";
    a_table_called_numbered: "numbered";
}

/// What a change looks up in a table that is called so is that table's.
#[test]
fn a_change_may_look_into_tables_that_are_called_so() {
    diesel::table! { picked (id) { id -> Integer, } }
    diesel::table! { placed (id) { id -> Integer, } }
    diesel::table! { chores (id) { id -> Integer, seen -> BigInt, } }
    diesel::allow_tables_to_appear_in_same_query!(chores, picked, placed);

    #[derive(Debug, PartialEq, Queryable, Selectable, Lockable)]
    #[diesel(table_name = chores)]
    struct Chore {
        id: i32,
        seen: i64,
    }

    let arena = Arena::new();
    arena.execute(
        "CREATE TABLE picked (id integer PRIMARY KEY); INSERT INTO picked VALUES (1), (2), (3), (4); \
         CREATE TABLE placed (id integer PRIMARY KEY); INSERT INTO placed VALUES (1), (2), (3), (4), (5); \
         CREATE TABLE chores (id integer PRIMARY KEY, seen bigint NOT NULL); INSERT INTO chores VALUES (1, 0), (2, 0), (3, 0)",
    );
    let mut session = Blocking::connect(arena.url());
    let chore = |id, seen| Chore { id, seen };
    let count = chores::seen.eq(picked::table.count().single_value().assume_not_null());
    let claimed: Vec<Chore> = chores::table.order(chores::id).claim(1, count, session.conn()).unwrap();
    assert_eq!(claimed, [chore(1, 4)]);
    let count = chores::seen.eq(placed::table.count().single_value().assume_not_null());
    let claimed: Vec<Chore> = chores::table.order(chores::id).claim(2, count, session.conn()).unwrap();
    assert_eq!(claimed, [chore(1, 5), chore(2, 5)]);
}
