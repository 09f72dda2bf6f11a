//! What the derive writes must compile where no name is in scope, and be clean under every lint.

#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    future_incompatible,
    clippy::all,
    clippy::pedantic,
    clippy::nursery
)]
// Says the opposite of `unreachable_pub`.
#![allow(clippy::redundant_pub_crate)]

/// The tables, with the prelude that `table!` itself needs.
mod schema {
    #![allow(missing_docs, clippy::all, clippy::pedantic, clippy::nursery)]

    /// Names that are words of SQL.
    pub(crate) mod odd {
        diesel::table! {
            #[sql_name = "order"]
            order_ (key) {
                key -> Text,
                of -> Integer,
                skip -> Integer,
                nowait -> Nullable<Integer>,
                #[sql_name = "locked"]
                locked_ -> Bool,
            }
        }
    }

    diesel::table! {
        s1.items (id) {
            id -> Uuid,
            label -> Text,
        }
    }

    diesel::table! {
        days (day, shift) {
            day -> Date,
            shift -> Text,
            note -> Nullable<Text>,
        }
    }

    diesel::table! {
        plain_names (id) {
            id -> BigInt,
        }
    }
}

/// Models that derive nothing else of a database. A lint that is forbidden cannot even be allowed by the expansion.
mod alone {
    #![no_implicit_prelude]
    #![forbid(unsafe_code, unused, unused_qualifications, deprecated, non_local_definitions, clippy::all)]

    use ::diesel_lockset::Lockable;
    use ::std::string::String;

    // In scope on purpose: the path in the expansion that says the same is no "unnecessary qualification".
    use crate::schema::plain_names::{self, dsl::*};

    /// The table is not named, but in scope, and so is its column.
    #[derive(Lockable)]
    pub(crate) struct PlainName {
        pub(crate) id: i64,
    }

    /// The path is longer than it need be, and the model a composite one.
    #[derive(Lockable)]
    #[diesel(table_name = crate::schema::days)]
    #[diesel(primary_key(day, shift))]
    pub(crate) struct Duty {
        pub(crate) day: ::chrono::NaiveDate,
        pub(crate) shift: String,
    }

    pub(crate) const fn in_scope() -> (id, plain_names::table) {
        (id, plain_names::table)
    }
}

/// Models in a place that is full of the names which the expansion must not mean.
mod hidden {
    #![no_implicit_prelude]

    #[allow(non_camel_case_types)]
    pub(crate) struct str;

    #[allow(non_camel_case_types)]
    pub(crate) struct i64;

    pub(crate) trait Lockable {}
    pub(crate) trait Clone {}
    pub(crate) mod core {}
    pub(crate) mod std {}
    pub(crate) mod diesel {}
    pub(crate) mod diesel_lockset {}

    pub(crate) const fn key_part() {}

    impl Lockable for str {}
    impl Clone for i64 {}

    #[derive(::diesel_lockset::Lockable)]
    #[diesel(table_name = crate::schema::plain_names)]
    pub(crate) struct Model {
        pub(crate) id: ::core::primitive::i64,
    }

    pub(crate) const fn names() -> (impl Lockable, impl Clone) {
        key_part();
        (str, i64)
    }
}

/// Models that derive all there is; Diesel's derives need two names and repeat paths that are in scope.
mod beside_diesel {
    #![no_implicit_prelude]
    #![allow(unused_qualifications)]

    use ::{diesel, std};
    use ::diesel_lockset::Lockable;
    use ::std::{fmt::Debug, option::Option, string::String};

    use crate::schema;

    /// A table and columns that are words of SQL.
    #[derive(Debug, diesel::Queryable, diesel::Selectable, diesel::Identifiable, Lockable)]
    #[diesel(table_name = schema::odd::order_, primary_key(key), check_for_backend(diesel::pg::Pg))]
    pub(crate) struct Order {
        pub(crate) key: String,
        pub(crate) of: i32,
        pub(crate) skip: i32,
        pub(crate) nowait: Option<i32>,
        #[diesel(column_name = locked_)]
        pub(crate) locked: bool,
    }

    /// A table of another schema.
    #[derive(Debug, diesel::Queryable, diesel::Selectable, diesel::Identifiable, Lockable)]
    #[diesel(table_name = crate::schema::items)]
    pub(crate) struct Item {
        pub(crate) id: ::uuid::Uuid,
        pub(crate) label: String,
    }

    /// A composite key.
    #[derive(Debug, diesel::Queryable, diesel::Selectable, diesel::Identifiable, Lockable)]
    #[diesel(table_name = schema::days, primary_key(day, shift), check_for_backend(diesel::pg::Pg))]
    pub(crate) struct Duty {
        pub(crate) day: ::chrono::NaiveDate,
        pub(crate) shift: String,
        pub(crate) note: Option<String>,
    }
}

use chrono::NaiveDate;
use diesel_lockset::Lockable;

#[test]
fn keys_are_copies_of_their_fields() {
    let order = beside_diesel::Order { key: "a".into(), of: 1, skip: 2, nowait: None, locked: true };
    assert_eq!(order.lock_key(), order.key);
    assert_eq!((order.of, order.skip, order.nowait, order.locked), (1, 2, None, true));

    let item = beside_diesel::Item { id: uuid::Uuid::from_u128(7), label: String::new() };
    assert_eq!((item.lock_key(), item.label), (uuid::Uuid::from_u128(7), String::new()));
}

#[test]
fn composite_keys_are_tuples_in_the_order_of_the_table() {
    let beside = beside_diesel::Duty { day: NaiveDate::default(), shift: "late".into(), note: None };
    assert_eq!(beside.lock_key(), (beside.day, beside.shift));
    assert_eq!((beside.note, <beside_diesel::Duty as Lockable>::TYPE_NAME), (None, "Duty"));

    let alone = alone::Duty { day: NaiveDate::default(), shift: "late".into() };
    assert_eq!(alone.lock_key(), (alone.day, alone.shift));
}

#[test]
fn names_in_scope_do_not_matter() {
    let _ = (alone::in_scope(), hidden::names());
    assert_eq!(alone::PlainName { id: 1 }.lock_key(), 1);
    assert_eq!(hidden::Model { id: 2 }.lock_key(), 2);
}
