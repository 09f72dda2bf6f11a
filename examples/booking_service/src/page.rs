//! The pages.

use maud::{DOCTYPE, Markup, html};
use uuid::Uuid;

use crate::{
    booking::Request,
    error::BookingError,
    schema::{Seat, Show},
    shows::FullBooking,
};

/// What stands in the form: nothing yet, or what the visitor has sent.
pub(crate) struct Draft {
    id: Uuid,
    name: String,
    seats: Vec<String>,
}

impl Draft {
    /// With a new id: each page is one booking, however often it is sent.
    pub(crate) fn new() -> Self {
        Draft { id: Uuid::new_v4(), name: String::new(), seats: Vec::new() }
    }

    /// Keeps the id, unless another booking has it.
    pub(crate) fn after(request: Request, error: &BookingError) -> Self {
        let id = if matches!(error, BookingError::IdUsed) { Uuid::new_v4() } else { request.id };
        Draft { id, name: request.name, seats: request.seats }
    }
}

fn page(title: &str, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Box office" }
                link rel="stylesheet" href="/page.css";
                link rel="icon" href="data:,";
            }
            body {
                header { a href="/" { "Box office" } }
                main { (content) }
            }
        }
    }
}

fn time(show: &Show) -> Markup {
    html! {
        time datetime=(show.starts_at.format("%Y-%m-%dT%H:%M")) { (show.starts_at.format("%A, %-d %B %Y, %H:%M")) }
    }
}

pub(crate) fn shows(shows: &[Show]) -> Markup {
    page(
        "Shows",
        html! {
            h1 { "Shows" }
            ul.shows {
                @for show in shows {
                    li {
                        a href={ "/shows/" (show.id) } { (show.title) }
                        p { (time(show)) @if !show.on_sale { " – the sale is closed" } }
                    }
                }
            }
        },
    )
}

/// The seats of an evening, to be chosen from, and the error of the last try.
pub(crate) fn show(show: &Show, seats: &[Seat], draft: &Draft, error: Option<&BookingError>) -> Markup {
    let title = error.map_or_else(|| show.title.clone(), |error| format!("{}: {}", error.headline(), show.title));
    let free = seats.iter().filter(|seat| seat.booking_id.is_none()).count();
    page(
        &title,
        html! {
            h1 { (show.title) }
            p { (time(show)) }
            @if let Some(error) = error {
                p.error role="alert" { strong { (error.headline()) ". " } (error) }
            }
            @if show.on_sale {
                p { (free) " of " (seats.len()) " seats are free. Taken seats are crossed out." }
                form method="post" action={ "/shows/" (show.id) } {
                    input type="hidden" name="id" value=(draft.id);
                    p.stage aria-hidden="true" { "Stage" }
                    @for row in seats.chunk_by(|one, next| one.seat_row == next.seat_row) {
                        fieldset {
                            legend { "Row " (row[0].seat_row) }
                            @for seat in row { (place(seat, draft)) }
                        }
                    }
                    p.name {
                        label for="name" { "Your name" }
                        input #name name="name" value=(draft.name) autocomplete="name" maxlength="80" required;
                    }
                    button type="submit" { "Book the seats" }
                }
            } @else {
                p { "The sale for this show is closed." }
            }
        },
    )
}

fn place(seat: &Seat, draft: &Draft) -> Markup {
    let taken = seat.booking_id.is_some();
    let chosen = !taken && draft.seats.contains(&seat.label);
    html! {
        label.seat.taken[taken] {
            input type="checkbox" name="seat" value=(seat.label) disabled[taken] checked[chosen];
            span { (seat.label) @if taken { span.unseen { ", taken" } } }
        }
    }
}

pub(crate) fn booking(FullBooking { booking, show, seats }: &FullBooking) -> Markup {
    page(
        "Your booking",
        html! {
            h1 { "Booked" }
            p { "Thank you, " (booking.name) ". These seats are yours:" }
            dl {
                dt { "Show" } dd { (show.title) }
                dt { "Time" } dd { (time(show)) }
                dt { "Seats" } dd { (seats.join(", ")) }
                dt { "Booking" } dd { (booking.id) }
            }
            p { a href={ "/shows/" (show.id) } { "Book more seats" } }
        },
    )
}

pub(crate) fn error(error: &BookingError) -> Markup {
    page(
        "Error",
        html! {
            h1 { (error.status().canonical_reason().unwrap_or("Error")) }
            p.error role="alert" { (error) }
            p { a href="/" { "All shows" } }
        },
    )
}
