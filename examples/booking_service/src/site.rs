//! The service as pages. A booking is a form that is sent; an error is the same page with a sentence on it.

use axum::{
    Router,
    extract::{Path, State, rejection::PathRejection},
    http::header,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use axum_extra::extract::{Form, FormRejection};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    api::retry_after,
    booking::Request,
    database::Pool,
    error::BookingError,
    page::{self, Draft},
    shows,
};

pub(crate) fn routes() -> Router<Pool> {
    Router::new()
        .route("/", get(all_shows))
        .route("/shows/{show}", get(one_show).post(book))
        .route("/bookings/{id}", get(one_booking))
        .route("/page.css", get(style))
        .fallback(async || BookingError::UnknownPage)
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("page.css"))
}

async fn all_shows(State(pool): State<Pool>) -> Result<Response, BookingError> {
    Ok(page::shows(&shows::all(&pool).await?).into_response())
}

async fn one_show(State(pool): State<Pool>, show: Result<Path<i32>, PathRejection>) -> Result<Response, BookingError> {
    let Ok(Path(show)) = show else { return Err(BookingError::UnknownShow) };
    let (show, seats) = shows::one(&pool, show).await?;
    Ok(page::show(&show, &seats, &Draft::new(), None).into_response())
}

/// A seat that is checked is a field `seat`; there are as many as seats were chosen.
#[derive(Deserialize)]
struct Fields {
    id: Uuid,
    name: String,
    #[serde(default)]
    seat: Vec<String>,
}

/// Redirects to the page of the booking, so that a reload sends nothing again.
async fn book(
    State(pool): State<Pool>,
    show: Result<Path<i32>, PathRejection>,
    fields: Result<Form<Fields>, FormRejection>,
) -> Result<Response, BookingError> {
    let Ok(Path(show)) = show else { return Err(BookingError::UnknownShow) };
    let Ok(Form(Fields { id, name, seat })) = fields else {
        return Err(BookingError::Invalid("The form is not complete."));
    };
    let request = Request { id, show, name, seats: seat };
    match request.book(&pool).await {
        Ok(_) => Ok(Redirect::to(&format!("/bookings/{id}")).into_response()),
        // Nothing was booked, or nobody knows: the page again, with what the visitor has entered.
        Err(error) => {
            let Ok((show, seats)) = shows::one(&pool, show).await else { return Err(error) };
            error.log();
            let page = page::show(&show, &seats, &Draft::after(request, &error), Some(&error));
            Ok((error.status(), retry_after(error.status()), page).into_response())
        }
    }
}

async fn one_booking(
    State(pool): State<Pool>,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Response, BookingError> {
    let Ok(Path(id)) = id else { return Err(BookingError::UnknownBooking) };
    Ok(page::booking(&shows::booking(&pool, id).await?).into_response())
}

/// A page of its own for an error, where there is no other page to show it on.
impl IntoResponse for BookingError {
    fn into_response(self) -> Response {
        self.log();
        (self.status(), retry_after(self.status()), page::error(&self)).into_response()
    }
}
