//! Everything that can go wrong, by what the visitor can do next: the HTTP status, a sentence, and whether to try again.

use axum::http::StatusCode;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::pooled_connection::deadpool::PoolError;
use diesel_lockset::LockError;

use crate::schema::{Seat, Show};

/// The error of a request. Its `Display` is for the visitor.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BookingError {
    #[error("{0}")]
    Invalid(&'static str),
    #[error("There is no such page.")]
    UnknownPage,
    #[error("There is no such show.")]
    UnknownShow,
    #[error("There is no such booking.")]
    UnknownBooking,
    #[error("There is no {}.", list(.0))]
    UnknownSeats(Vec<String>),
    #[error("Sorry, {} {} just been taken. Nothing was booked: choose other seats.", list(.0), if .0.len() == 1 { "has" } else { "have" })]
    SeatsTaken(Vec<String>),
    #[error("The sale for this show is closed.")]
    SaleClosed,
    #[error("This booking exists already, with other seats. Load the page again to make another one.")]
    IdUsed,
    #[error("The box office is busy. Nothing was booked: please try again in a moment.")]
    Busy(#[source] Source),
    /// Nobody knows whether the work was committed.
    #[error("The answer of the database was lost. Send the same booking again: it will not be made twice.")]
    Unknown(#[source] Source),
    #[error("Something went wrong on our side. Nothing was booked.")]
    Internal(#[source] Source),
}

/// The text of a lock error is for the log. As the source it is also where `LockTransaction` finds its class.
type Source = Box<dyn std::error::Error + Send + Sync>;

impl BookingError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            BookingError::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            BookingError::UnknownPage
            | BookingError::UnknownShow
            | BookingError::UnknownBooking
            | BookingError::UnknownSeats(_) => StatusCode::NOT_FOUND,
            BookingError::SeatsTaken(_) | BookingError::SaleClosed | BookingError::IdUsed => StatusCode::CONFLICT,
            BookingError::Busy(_) | BookingError::Unknown(_) => StatusCode::SERVICE_UNAVAILABLE,
            BookingError::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Writes into the log what the visitor is not told.
    pub(crate) fn log(&self) {
        match self {
            BookingError::Busy(source) => tracing::warn!("busy: {source}"),
            BookingError::Unknown(source) | BookingError::Internal(source) => tracing::error!("{source}"),
            _ => {}
        }
    }

    /// The outcome of a booking that ended with this error.
    pub(crate) fn headline(&self) -> &'static str {
        if matches!(self, BookingError::Unknown(_)) { "Perhaps booked" } else { "Not booked" }
    }

    /// The seats that the error is about.
    pub(crate) fn seats(&self) -> &[String] {
        match self {
            BookingError::UnknownSeats(seats) | BookingError::SeatsTaken(seats) => seats,
            _ => &[],
        }
    }
}

/// The classes of a lock error, as answers to a visitor.
impl From<LockError> for BookingError {
    fn from(error: LockError) -> Self {
        match error.last() {
            LockError::Missing { rows } if rows.iter().any(|row| row.key_of::<Show>().is_some()) => {
                BookingError::UnknownShow
            }
            LockError::Missing { rows } => {
                let keys = rows.iter().filter_map(|row| row.key_of::<Seat>());
                BookingError::UnknownSeats(keys.map(|(_, label)| label.clone()).collect())
            }
            LockError::CommitUnknown(_) => BookingError::Unknown(error.into()),
            // During a failover: the next connection may reach the new primary.
            LockError::ConnectionLost(_) | LockError::ReadOnly(_) => BookingError::Busy(error.into()),
            last if last.is_contended() || last.is_retryable() => BookingError::Busy(error.into()),
            _ => BookingError::Internal(error.into()),
        }
    }
}

impl From<DieselError> for BookingError {
    fn from(error: DieselError) -> Self {
        match error {
            // Of the only unique column that visitors fill.
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => BookingError::IdUsed,
            error => LockError::from(error).into(),
        }
    }
}

/// No connection in time, or no database.
impl From<PoolError> for BookingError {
    fn from(error: PoolError) -> Self {
        BookingError::Busy(error.into())
    }
}

fn list(labels: &[String]) -> String {
    match labels {
        [] => String::new(),
        [one] => format!("seat {one}"),
        [first @ .., last] => format!("seats {} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(labels: &[&str]) -> String {
        BookingError::SeatsTaken(labels.iter().map(|label| (*label).to_owned()).collect()).to_string()
    }

    #[test]
    fn booking_errors_are_sentences() {
        assert_eq!(taken(&["A1"]), "Sorry, seat A1 has just been taken. Nothing was booked: choose other seats.");
        assert_eq!(
            taken(&["A1", "A2", "B1"]),
            "Sorry, seats A1, A2 and B1 have just been taken. Nothing was booked: choose other seats."
        );
    }

    #[test]
    fn booking_errors_keep_the_class_that_is_retried() {
        let message = "could not serialize access due to concurrent update".to_owned();
        let lost = DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, Box::new(message));
        let error = BookingError::from(lost);
        assert!(matches!(error, BookingError::Busy(_)));
        assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
