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

/// Methods under a lock, where nothing is in scope, of a crate that allows nothing and documents everything.
pub mod locked {
    #![no_implicit_prelude]
    #![forbid(unsafe_code, unused, unused_qualifications, deprecated, missing_docs, clippy::all)]

    use ::core::{
        primitive::{bool, i64, str},
        result::Result::{self, Err, Ok},
    };
    use ::diesel::pg::PgConnection;
    use ::diesel_lockset::{LockError, Lockable, advisory_locked};
    use ::std::{option::Option, string::String};

    /// A model.
    #[derive(Debug, Lockable)]
    #[diesel(table_name = crate::schema::plain_names)]
    pub struct PlainName {
        /// The key.
        pub id: i64,
        /// What a method changes.
        pub note: String,
    }

    impl PlainName {
        /// A body that is one call, as a closure of one call is a lint.
        ///
        /// # Errors
        ///
        /// Those of the lock.
        #[advisory_locked]
        pub fn forwards(&self, conn: &mut PgConnection) -> Result<bool, LockError> {
            forwarded(conn)
        }

        /// A body that is one method call on the connection.
        ///
        /// # Errors
        ///
        /// Those of the lock.
        #[advisory_locked(timeout = "120s")]
        pub fn executes(&self, conn: &mut PgConnection) -> ::diesel::QueryResult<()> {
            ::diesel::connection::SimpleConnection::batch_execute(conn, &self.note)
        }

        /// One that needs no connection.
        ///
        /// # Errors
        ///
        /// Those of the lock.
        #[advisory_locked(session, shared)]
        pub fn rename(&mut self, _conn: &mut PgConnection, note: String) -> Result<&str, LockError> {
            if note.is_empty() {
                return Err(LockError::NotInTransaction);
            }
            self.note = note;
            Ok(&self.note)
        }

        /// Perhaps.
        ///
        /// # Errors
        ///
        /// Those of the lock.
        #[advisory_locked(scope = "rename", try)]
        pub fn note(&self, _: &mut PgConnection) -> Result<Option<&str>, LockError> {
            Ok(Option::Some(&self.note))
        }
    }

    fn forwarded(conn: &mut PgConnection) -> Result<bool, LockError> {
        ::diesel::connection::SimpleConnection::batch_execute(conn, "SELECT 1")?;
        Ok(true)
    }
}

mod documentation;
#[rustfmt::skip] // As the README has it, to 80 columns.
mod front_page;

use chrono::NaiveDate;
use diesel_lockset::Lockable;

#[test]
fn advisory_locked_methods_are_methods() {
    let mut conn = <diesel::PgConnection as diesel::Connection>::establish(&std::env::var("PG_DATABASE_URL").unwrap())
        .expect("PG_DATABASE_URL names a server");
    let mut name = locked::PlainName { id: -7_300_001, note: "SELECT 1".into() };
    assert!(name.forwards(&mut conn).unwrap());
    name.executes(&mut conn).unwrap();
    assert!(name.rename(&mut conn, String::new()).is_err());
    assert_eq!(name.rename(&mut conn, "b".into()).unwrap(), "b");
    assert_eq!(name.note(&mut conn).unwrap(), Some("b"));
}

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
