//! A box office: seats are shown on a page and booked, by browser and by JSON. Two people cannot get one seat.
//!
//! | file | content |
//! | --- | --- |
//! | `booking.rs` | the transaction: all seats of a booking are locked in one [`LockSet`](diesel_lockset::LockSet), or none is booked |
//! | `error.rs` | what can go wrong, by what the visitor can do next: HTTP status, sentence, whether to try again |
//! | `shows.rs` | what is read without a lock |
//! | `site.rs`, `page.rs`, `page.css` | the pages, without a script |
//! | `api.rs` | the same as JSON |
//! | `database.rs` | the pool and the migrations |
//!
//! No lock is held while a visitor thinks. A page shows the seats as they were when it was made. Whether they are still free is decided when
//! the form comes back, by one short transaction. A visitor who was too slow gets the page again, with a sentence and the seats as they
//! are now. To keep seats for a visitor who is about to pay, a service would book them until some moment, in a column, as the leases
//! of the example `worker_queue` do. It would not keep a transaction open.

pub mod database;
pub mod schema;

mod api;
mod booking;
mod error;
mod page;
mod shows;
mod site;

use axum::{
    Router,
    http::{HeaderValue, header},
    middleware::map_response,
    response::Response,
};

use crate::database::Pool;

/// Returns the service: pages at `/`, JSON at `/api`.
pub fn service(pool: Pool) -> Router {
    Router::new()
        .merge(site::routes())
        .nest("/api", api::routes())
        .layer(map_response(without_scripts))
        .with_state(pool)
}

/// Forbids the browser everything that the pages do not need.
async fn without_scripts<B>(mut response: Response<B>) -> Response<B> {
    let policy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}
