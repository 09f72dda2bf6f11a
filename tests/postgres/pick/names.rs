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
    a_table_called_picked: "picked";
    a_table_called_placed: "placed";
    a_table_called_free: "free";
    a_table_called_numbered: "numbered";
}
