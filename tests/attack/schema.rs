//! The tables under attack and their models.
//!
//! | keys of `pieces` | what becomes of them |
//! | --- | --- |
//! | [`LASTING`] | in every committed state there is a row; its `grp` never changes |
//! | [`PASSING`] | deleted and inserted again |
//! | [`NEVER`] | nobody inserts them |
//! | [`own_keys`] | only one session asks for them, and nobody changes them |
//!
//! A row of `marks` is written under the lock of its piece only, so whatever a query says about a piece, its mark included, is
//! the same as long as the piece is locked.

use std::ops::RangeInclusive;

use diesel::{dsl::sql, expression::SqlLiteral, prelude::*, sql_types::BigInt};
use diesel_lockset::Lockable;

pub(crate) const LASTING: RangeInclusive<i32> = 1..=20;
pub(crate) const PASSING: RangeInclusive<i32> = 31..=36;
pub(crate) const NEVER: RangeInclusive<i32> = 91..=99;

/// `grp` of a lasting piece is less.
pub(crate) const GROUPS: i32 = 5;

/// `grp` of a piece that belongs to a session is at least this.
pub(crate) const OWN: i32 = 1000;

pub(crate) fn own_keys(thread: usize) -> RangeInclusive<i32> {
    let first = OWN + 10 * i32::try_from(thread).expect("few threads");
    first..=first + 4
}

pub(crate) const AREAS: [&str; 2] = ["a", "b"];
pub(crate) const SLOTS: RangeInclusive<i32> = 1..=6;

diesel::table! {
    pieces (id) {
        id -> Integer,
        grp -> Integer,
        status -> Text,
        n -> Nullable<Integer>,
        label -> Text,
        version -> BigInt,
    }
}

diesel::table! {
    marks (piece_id) {
        piece_id -> Integer,
        kind -> Integer,
    }
}

diesel::table! {
    slots (area, number) {
        area -> Text,
        number -> Integer,
        version -> BigInt,
    }
}

diesel::table! {
    /// The same table, with its key the other way round.
    #[sql_name = "slots"]
    turned_slots (number, area) {
        number -> Integer,
        area -> Text,
        version -> BigInt,
    }
}

diesel::table! {
    tasks (id) {
        id -> Integer,
        queue -> Integer,
        status -> Text,
        priority -> Integer,
        owner -> Integer,
    }
}

diesel::table! {
    taken (task_id) {
        task_id -> Integer,
    }
}

diesel::table! {
    queues (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::joinable!(marks -> pieces (piece_id));
diesel::joinable!(tasks -> queues (queue));
diesel::allow_tables_to_appear_in_same_query!(pieces, marks);
diesel::allow_tables_to_appear_in_same_query!(tasks, taken, queues);

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Lockable)]
pub(crate) struct Piece {
    pub(crate) id: i32,
    pub(crate) grp: i32,
    pub(crate) status: String,
    pub(crate) n: Option<i32>,
    pub(crate) label: String,
    pub(crate) version: i64,
}

impl Piece {
    /// An instance as somebody holds it who loaded it long ago.
    pub(crate) fn stale(id: i32) -> Self {
        Self { id, grp: -1, status: "stale".to_owned(), n: None, label: String::new(), version: -1 }
    }
}

/// Another model of the table of [`Piece`].
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Lockable)]
#[diesel(table_name = pieces)]
pub(crate) struct Brief {
    pub(crate) id: i32,
    pub(crate) version: i64,
}

/// A model with a column that looks into another table.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Lockable)]
#[diesel(table_name = pieces)]
pub(crate) struct Counted {
    pub(crate) id: i32,
    pub(crate) version: i64,
    #[diesel(select_expression = marks_of_a_piece(), select_expression_type = SqlLiteral<BigInt>)]
    pub(crate) marks: i64,
}

fn marks_of_a_piece() -> SqlLiteral<BigInt> {
    sql("(SELECT count(*) FROM marks WHERE marks.piece_id = pieces.id)")
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Lockable)]
#[diesel(primary_key(area, number))]
pub(crate) struct Slot {
    pub(crate) area: String,
    pub(crate) number: i32,
    pub(crate) version: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Lockable)]
#[diesel(table_name = turned_slots, primary_key(number, area))]
pub(crate) struct TurnedSlot {
    pub(crate) number: i32,
    pub(crate) area: String,
    pub(crate) version: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Lockable)]
pub(crate) struct Task {
    pub(crate) id: i32,
    pub(crate) queue: i32,
    pub(crate) status: String,
    pub(crate) priority: i32,
    pub(crate) owner: i32,
}
