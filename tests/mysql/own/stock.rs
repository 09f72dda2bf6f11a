//! A table with indexes that an optimizer could prefer to the primary key.

use diesel::prelude::*;
use diesel_lockset::Lockable;

use super::Arena;
use crate::support::server::numbers;

diesel::table! {
    stock (id) {
        id -> Integer,
        shelf -> Integer,
        price -> Integer,
        note -> Text,
    }
}

diesel::table! {
    marks (id) {
        id -> Integer,
        item -> Integer,
    }
}

diesel::table! {
    candidates (id) {
        id -> Integer,
    }
}

diesel::joinable!(marks -> stock (item));
diesel::allow_tables_to_appear_in_same_query!(candidates, marks, stock);

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = stock)]
pub(super) struct Item {
    pub(super) id: i32,
    pub(super) shelf: i32,
    pub(super) price: i32,
    pub(super) note: String,
}

/// A model that an index covers.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = stock)]
pub(super) struct Tag {
    pub(super) id: i32,
    pub(super) shelf: i32,
    pub(super) price: i32,
}

/// An arena with that table, of `count` rows: shelves of ten, prices that fall while the keys rise.
pub(super) fn arena_of(count: i64) -> Arena {
    let arena = Arena::new();
    arena.execute(&format!(
        "CREATE TABLE stock (id int PRIMARY KEY, shelf int NOT NULL, price int NOT NULL, note varchar(40) NOT NULL, \
         KEY by_price (price), KEY covering (shelf, price, id)) ENGINE = InnoDB; \
         INSERT INTO stock SELECT n, n DIV 10, {count} - n, 'x' FROM {}; {}",
        numbers(1, count),
        "ANALYZE TABLE stock"
    ));
    arena
}
