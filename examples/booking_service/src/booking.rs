//! The booking of seats: the request, its checks that need no database, and the transaction.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diesel_lockset::nonblocking::prelude::*;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    database::{Conn, PATIENCE, Pool},
    error::BookingError,
    schema::{Booking, Seat, Show, bookings, seats},
    shows::{self, FullBooking},
};

const MOST_SEATS: usize = 8;
const LONGEST_NAME: usize = 80;

/// Seats that a visitor wants, all of them or none.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Request {
    /// Chosen by the visitor's side. A request that is sent again, because its answer was lost, is the same booking.
    pub(crate) id: Uuid,
    pub(crate) show: i32,
    pub(crate) name: String,
    pub(crate) seats: Vec<String>,
}

/// A booking that is in the database.
pub(crate) struct Booked {
    pub(crate) booking: FullBooking,
    /// `false` if an earlier request with the same id has made it.
    pub(crate) is_new: bool,
}

impl Request {
    fn check(&self) -> Result<(), BookingError> {
        let name = self.name.trim();
        if self.seats.is_empty() {
            return Err(BookingError::Invalid("Choose at least one seat."));
        }
        if self.seats.len() > MOST_SEATS {
            return Err(BookingError::Invalid("Choose no more than 8 seats."));
        }
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.contains('\0') {
            return Err(BookingError::Invalid("Enter a name of 1 to 80 characters."));
        }
        if self.seats.iter().any(|seat| seat.contains('\0')) {
            return Err(BookingError::UnknownSeats(self.seats.clone()));
        }
        Ok(())
    }

    /// Books the seats in one short transaction.
    ///
    /// A deadlock or a serialization failure is run again. The set alone cannot cause one, but an administrator's transaction may.
    ///
    /// If the visitor goes away, the server drops this future, and the task goes on to its end: with its connection whole, and the seats free
    /// again as soon as it has committed. Without a task each visitor who goes away would cost a connection. A visitor who comes back with
    /// the same request gets the answer either way.
    pub(crate) async fn book(&self, pool: &Pool) -> Result<Booked, BookingError> {
        self.check()?;
        let (request, pool) = (self.clone(), pool.clone());
        let task = tokio::spawn(async move {
            let mut conn = pool.get().await?;
            LockTransaction::new().deadline(PATIENCE).run(&mut conn, async |conn| request.book_in(conn).await).await
        });
        task.await.unwrap_or_else(|ended| Err(BookingError::Unknown(ended.into())))
    }

    async fn book_in(&self, conn: &mut Conn) -> Result<Booked, BookingError> {
        let locked = LockSet::new()
            .ids::<Seat>(self.seats.iter().map(|label| (self.show, label.clone())))
            // Nobody ends the sale between this look and the commit; other visitors book at the same time.
            .for_share()
            .id::<Show>(self.show)
            .timeout(PATIENCE)
            .lock(conn)
            .await?;
        if !locked.id::<Show>(self.show)?.on_sale {
            return Err(BookingError::SaleClosed);
        }
        // Not what the page showed: the rows as they are now, and will be until the commit.
        let wanted = locked.rows::<Seat>();
        if wanted.iter().all(|seat| seat.booking_id == Some(self.id)) {
            return Ok(Booked { booking: shows::booking_in(conn, self.id).await?, is_new: false });
        }
        let taken: Vec<_> =
            wanted.iter().filter(|seat| seat.booking_id.is_some()).map(|seat| seat.label.clone()).collect();
        if !taken.is_empty() {
            return Err(BookingError::SeatsTaken(taken));
        }
        let booking = Booking { id: self.id, show_id: self.show, name: self.name.trim().to_owned() };
        diesel::insert_into(bookings::table).values(&booking).execute(conn).await?;
        let of_the_booking = seats::table.filter(seats::show_id.eq(self.show)).filter(seats::label.eq_any(&self.seats));
        diesel::update(of_the_booking).set(seats::booking_id.eq(self.id)).execute(conn).await?;
        // Read before the commit: if it fails, nothing was booked.
        Ok(Booked { booking: shows::booking_in(conn, self.id).await?, is_new: true })
    }
}
