//! What is read without a lock: it may be out of date as soon as it is shown.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{
    database::{Conn, Pool},
    error::BookingError,
    schema::{Booking, Seat, Show, bookings, seats, shows},
};

pub(crate) async fn all(pool: &Pool) -> Result<Vec<Show>, BookingError> {
    let mut conn = pool.get().await?;
    Ok(shows::table.order(shows::starts_at).select(Show::as_select()).load(&mut conn).await?)
}

/// Returns an evening and its seats, row by row.
pub(crate) async fn one(pool: &Pool, id: i32) -> Result<(Show, Vec<Seat>), BookingError> {
    let mut conn = pool.get().await?;
    let show: Option<Show> = shows::table.find(id).select(Show::as_select()).first(&mut conn).await.optional()?;
    let show = show.ok_or(BookingError::UnknownShow)?;
    let all = seats::table.filter(seats::show_id.eq(id)).order((seats::seat_row, seats::number));
    Ok((show, all.select(Seat::as_select()).load(&mut conn).await?))
}

/// A booking, its evening and the labels of its seats.
pub(crate) struct FullBooking {
    pub(crate) booking: Booking,
    pub(crate) show: Show,
    pub(crate) seats: Vec<String>,
}

pub(crate) async fn booking(pool: &Pool, id: Uuid) -> Result<FullBooking, BookingError> {
    booking_in(&mut pool.get().await?, id).await
}

pub(crate) async fn booking_in(conn: &mut Conn, id: Uuid) -> Result<FullBooking, BookingError> {
    let found: Option<(Booking, Show)> = bookings::table
        .inner_join(shows::table)
        .filter(bookings::id.eq(id))
        .select((Booking::as_select(), Show::as_select()))
        .first(conn)
        .await
        .optional()?;
    let (booking, show) = found.ok_or(BookingError::UnknownBooking)?;
    let labels = seats::table.filter(seats::booking_id.eq(id)).order((seats::seat_row, seats::number));
    Ok(FullBooking { booking, show, seats: labels.select(seats::label).load(conn).await? })
}
