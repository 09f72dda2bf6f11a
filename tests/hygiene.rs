//! What the derive writes must compile where no name is in scope, and be clean under every lint.

#![no_implicit_prelude]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unused_qualifications,
    unreachable_pub,
    future_incompatible,
    clippy::all,
    clippy::pedantic,
    clippy::nursery
)]
// A lint that is forbidden cannot be allowed by the expansion either: it must do without.
#![forbid(unsafe_code, unused_qualifications, deprecated, dead_code, non_local_definitions)]

use ::core::{assert_eq, clone::Clone, convert::Into, default::Default, option::Option, prelude::v1::test};
use ::diesel_lockset::Lockable;
use ::std::{borrow::ToOwned, string::String};

mod schema {
    #![allow(missing_docs, clippy::all, clippy::pedantic, clippy::nursery)]

    // `table!` itself wants the prelude.
    use ::std::prelude::v1::*;

    /// Names that are words of SQL.
    pub(crate) mod odd {
        use ::std::prelude::v1::*;

        ::diesel::table! {
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

    ::diesel::table! {
        s1.items (id) {
            id -> Uuid,
            label -> Text,
        }
    }

    ::diesel::table! {
        days (day, shift) {
            day -> Date,
            shift -> Text,
            note -> Nullable<Text>,
        }
    }

    ::diesel::table! {
        plain_names (id) {
            id -> BigInt,
        }
    }
}

/// In scope on purpose: a path that repeats it is no "unnecessary qualification" of the user's.
use schema::plain_names::{self, dsl::*};

/// A table and columns that are words of SQL.
#[derive(Debug, ::diesel::Queryable, ::diesel::Selectable, ::diesel::Identifiable, Lockable)]
#[diesel(table_name = schema::odd::order_, primary_key(key), check_for_backend(::diesel::pg::Pg))]
pub struct Order {
    /// The key.
    pub key: String,
    /// A number.
    pub of: i32,
    /// A number.
    pub skip: i32,
    /// A number.
    pub nowait: Option<i32>,
    /// A flag.
    #[diesel(column_name = locked_)]
    pub locked: bool,
}

/// A table of another schema.
#[derive(Debug, ::diesel::Queryable, ::diesel::Selectable, ::diesel::Identifiable, Lockable)]
#[diesel(table_name = crate::schema::items)]
pub struct Item {
    /// The key.
    pub id: ::uuid::Uuid,
    /// A text.
    pub label: String,
}

/// A composite key.
#[derive(Debug, ::diesel::Queryable, ::diesel::Selectable, ::diesel::Identifiable, Lockable)]
#[diesel(table_name = schema::days, primary_key(day, shift))]
pub struct Day {
    /// Part of the key.
    pub day: ::chrono::NaiveDate,
    /// Part of the key.
    pub shift: String,
    /// Not part of the key.
    pub note: Option<String>,
}

/// The table is not named, but in scope.
#[derive(Debug, ::diesel::Queryable, ::diesel::Selectable, ::diesel::Identifiable, Lockable)]
pub struct PlainName {
    /// The key.
    pub id: i64,
}

/// A type that hides what the expansion could trip over.
mod hidden {
    /// Not the primitive.
    #[allow(non_camel_case_types)]
    #[derive(Debug)]
    pub(crate) struct str;

    /// Not the trait.
    pub(crate) trait Lockable {}

    /// Not the trait.
    pub(crate) trait Clone {}

    /// Not the crate.
    pub(crate) mod core {}

    /// Not the crate.
    pub(crate) mod diesel_lockset {}

    /// Not the function of the expansion.
    pub(crate) fn key_part() {}

    impl Lockable for str {}
    impl Clone for str {}

    /// The model.
    #[derive(Debug, ::diesel_lockset::Lockable)]
    #[diesel(table_name = crate::schema::plain_names)]
    pub(crate) struct Hidden {
        pub(crate) id: i64,
    }

    /// Uses what is here.
    pub(crate) fn hidden() -> impl Clone + Lockable {
        key_part();
        str
    }
}

#[test]
fn composite_keys_keep_their_order() {
    let day = Day { day: Default::default(), shift: "late".to_owned(), note: Option::None };
    assert_eq!(day.lock_key(), (day.day, "late".to_owned()));
    assert_eq!(<Day as Lockable>::TYPE_NAME, "Day");
}

#[test]
fn keys_are_copies_of_their_fields() {
    let item = Item { id: ::uuid::Uuid::from_u128(7), label: String::new() };
    assert_eq!(item.lock_key(), ::uuid::Uuid::from_u128(7));

    let order = Order { key: "a".into(), of: 1, skip: 2, nowait: Option::None, locked: true };
    assert_eq!(order.lock_key(), order.key.clone());
    assert_eq!((order.of, order.skip, order.nowait, order.locked), (1, 2, Option::None, true));
}

#[test]
fn names_in_scope_do_not_matter() {
    let _: (id, plain_names::table) = (id, <PlainName as Lockable>::table());
    assert_eq!(PlainName { id: 1 }.lock_key(), 1);

    let _ = hidden::hidden();
    assert_eq!(hidden::Hidden { id: 2 }.lock_key(), 2);
}
