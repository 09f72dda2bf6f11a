//! The tables and their models.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use diesel_lockset::Lockable;
use serde::Serialize;
use uuid::Uuid;

diesel::table! {
    /// Evenings for which seats are sold.
    shows (id) {
        id -> Integer,
        title -> Text,
        starts_at -> Timestamp,
        on_sale -> Bool,
    }
}

diesel::table! {
    /// Seats of an evening, each with the booking that has it.
    seats (show_id, label) {
        show_id -> Integer,
        label -> Text,
        seat_row -> Text,
        number -> Integer,
        booking_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    /// Bookings of one or more seats.
    bookings (id) {
        id -> Uuid,
        show_id -> Integer,
        name -> Text,
    }
}

diesel::joinable!(bookings -> shows (show_id));
diesel::allow_tables_to_appear_in_same_query!(shows, seats, bookings);

/// An evening.
#[derive(Debug, Clone, Queryable, Selectable, Identifiable, Lockable, Serialize)]
#[diesel(table_name = shows)]
pub struct Show {
    /// The number in the address of its page.
    pub id: i32,
    /// The name of the play.
    pub title: String,
    /// The beginning, in the time of the theatre.
    pub starts_at: NaiveDateTime,
    /// `false` before the sale begins and after it has ended.
    pub on_sale: bool,
}

/// A seat of an evening.
#[derive(Debug, Clone, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = seats, primary_key(show_id, label))]
pub struct Seat {
    /// The evening.
    pub show_id: i32,
    /// The row and the number, as it is written on the seat: `A1`.
    pub label: String,
    /// The row: `A`.
    pub seat_row: String,
    /// The booking that has the seat.
    pub booking_id: Option<Uuid>,
}

/// A booking, without its seats.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Identifiable, Insertable)]
#[diesel(table_name = bookings)]
pub struct Booking {
    /// The number that the visitor's request came with.
    pub id: Uuid,
    /// The evening.
    pub show_id: i32,
    /// The name of the visitor.
    pub name: String,
}
