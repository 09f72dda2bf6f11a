//! The service as JSON. Errors are problem details ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)).

use axum::{
    Json, Router,
    extract::{
        Path, State,
        rejection::{JsonRejection, PathRejection},
    },
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    booking::{Booked, Request},
    database::Pool,
    error::BookingError,
    schema::{Seat, Show},
    shows::{self, FullBooking},
};

pub(crate) fn routes() -> Router<Pool> {
    Router::new()
        .route("/shows", get(all_shows))
        .route("/shows/{show}", get(one_show))
        // PUT, for it may be sent again: the id of a booking is chosen by the client.
        .route("/bookings/{id}", get(one_booking).put(book))
}

async fn all_shows(State(pool): State<Pool>) -> Result<Json<Vec<Show>>, Problem> {
    Ok(Json(shows::all(&pool).await?))
}

#[derive(Serialize)]
struct ShowWithSeats {
    #[serde(flatten)]
    show: Show,
    seats: Vec<SeatState>,
}

#[derive(Serialize)]
struct SeatState {
    label: String,
    free: bool,
}

impl From<Seat> for SeatState {
    fn from(seat: Seat) -> Self {
        SeatState { free: seat.booking_id.is_none(), label: seat.label }
    }
}

async fn one_show(State(pool): State<Pool>, show: Result<Path<i32>, PathRejection>) -> Result<Response, Problem> {
    let (show, seats) = shows::one(&pool, show?.0).await?;
    Ok(Json(ShowWithSeats { show, seats: seats.into_iter().map(SeatState::from).collect() }).into_response())
}

#[derive(Serialize)]
struct BookingWithSeats {
    id: Uuid,
    show: i32,
    name: String,
    seats: Vec<String>,
}

impl From<FullBooking> for BookingWithSeats {
    fn from(FullBooking { booking, show, seats }: FullBooking) -> Self {
        BookingWithSeats { id: booking.id, show: show.id, name: booking.name, seats }
    }
}

async fn one_booking(State(pool): State<Pool>, id: Result<Path<Uuid>, PathRejection>) -> Result<Response, Problem> {
    Ok(Json(BookingWithSeats::from(shows::booking(&pool, id?.0).await?)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    show: i32,
    name: String,
    seats: Vec<String>,
}

/// 201 for a new booking, 200 for one that an earlier request with the same id has made.
async fn book(
    State(pool): State<Pool>,
    id: Result<Path<Uuid>, PathRejection>,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Result<Response, Problem> {
    let (Path(id), Json(Wish { show, name, seats })) = (id?, wish?);
    let Booked { booking, is_new } = Request { id, show, name, seats }.book(&pool).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let location = [(header::LOCATION, format!("/api/bookings/{id}"))];
    Ok((status, location, Json(BookingWithSeats::from(booking))).into_response())
}

/// An error as it is sent.
#[derive(Debug, Serialize)]
struct Problem {
    #[serde(skip)]
    code: StatusCode,
    status: u16,
    title: String,
    detail: String,
    seats: Vec<String>,
}

impl Problem {
    fn new(code: StatusCode, detail: String, seats: &[String]) -> Self {
        let title = code.canonical_reason().unwrap_or_default().to_owned();
        Problem { code, status: code.as_u16(), title, detail, seats: seats.to_vec() }
    }
}

impl From<BookingError> for Problem {
    fn from(error: BookingError) -> Self {
        error.log();
        Problem::new(error.status(), error.to_string(), error.seats())
    }
}

impl From<JsonRejection> for Problem {
    fn from(error: JsonRejection) -> Self {
        Problem::new(error.status(), error.body_text(), &[])
    }
}

impl From<PathRejection> for Problem {
    fn from(error: PathRejection) -> Self {
        Problem::new(error.status(), error.body_text(), &[])
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.code, kind, retry_after(self.code), Json(self)).into_response()
    }
}

/// Tells a client that was refused for a moment when to come back, in seconds.
pub(crate) fn retry_after(code: StatusCode) -> Option<[(HeaderName, &'static str); 1]> {
    (code == StatusCode::SERVICE_UNAVAILABLE).then_some([(header::RETRY_AFTER, "1")])
}
