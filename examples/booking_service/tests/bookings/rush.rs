//! Two hundred visitors at once, for forty seats.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use booking_service::schema::{bookings, seats};
use diesel::prelude::*;
use reqwest::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    page::Page,
    server::{Server, block_on, header, new_id},
    shared::{Error, Result},
};

const VISITORS: usize = 200;

struct Visitor {
    id: String,
    wants: Vec<String>,
    by_browser: bool,
}

/// Whether the visitor has the seats, as the service answered.
type Answer = (Visitor, bool);

/// One to three seats that lie side by side, in any order.
fn wish(random: &mut fastrand::Rng) -> Vec<String> {
    let (row, count) = (random.choice(['A', 'B', 'C', 'D', 'E']).unwrap(), random.usize(1..=3));
    let first = random.usize(1..=9 - count);
    let mut wants: Vec<_> = (first..first + count).map(|number| format!("{row}{number}")).collect();
    random.shuffle(&mut wants);
    wants
}

/// Opens the page, if the visitor has a browser: everybody has seen the free seats before the first one books.
async fn look(server: &Server, wants: Vec<String>, by_browser: bool) -> Result<Visitor> {
    let id = if by_browser {
        Page::read(&server.get("/shows/1").send().await?.error_for_status()?.text().await?).id
    } else {
        new_id()
    };
    Ok(Visitor { id, wants, by_browser })
}

async fn book(server: Arc<Server>, visitor: Visitor) -> Result<Answer> {
    let Visitor { id, wants, by_browser } = &visitor;
    let seats: Vec<_> = wants.iter().map(String::as_str).collect();
    for _ in 0..30 {
        let request = if *by_browser { server.post(id, 1, &seats) } else { server.put(id, 1, &seats) };
        let answer = request.send().await?;
        let has_them = match answer.status() {
            StatusCode::CREATED | StatusCode::SEE_OTHER => true,
            StatusCode::CONFLICT => false,
            // As the answer advises; on a slow machine a visitor may wait too long for a connection.
            StatusCode::SERVICE_UNAVAILABLE => {
                assert_eq!(header(&answer, "retry-after"), Some("1"));
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
            other => return Err(format!("{other}: {}", answer.text().await?).into()),
        };
        if !has_them {
            let body = answer.text().await?;
            let taken = if *by_browser { Page::read(&body).taken } else { named_as_taken(&body)? };
            assert!(wants.iter().any(|seat| taken.contains(seat)), "one of {wants:?} is taken: {taken:?}");
        }
        return Ok((visitor, has_them));
    }
    Err("the service was busy all the time".into())
}

fn named_as_taken(problem: &str) -> Result<Vec<String>> {
    let problem: Value = serde_json::from_str(problem)?;
    Ok(serde_json::from_value(problem["seats"].clone())?)
}

#[test]
fn two_hundred_bookings_at_once_give_no_seat_to_two_visitors() -> Result<()> {
    let server = Arc::new(Server::start()?);
    let mut random = fastrand::Rng::new();
    let seed = random.get_seed();
    let answers = block_on(async {
        let mut visitors = Vec::new();
        for number in 0..VISITORS {
            visitors.push(look(&server, wish(&mut random), number % 2 == 0).await?);
        }
        let bookings = visitors.into_iter().map(|visitor| tokio::spawn(book(Arc::clone(&server), visitor)));
        let bookings: Vec<_> = bookings.collect();
        let mut answers = Vec::new();
        for booking in bookings {
            answers.push(booking.await??);
        }
        Ok::<_, Error>(answers)
    })?;

    let conn = &mut server.database.connect()?;
    let by_seat: BTreeMap<String, Option<Uuid>> = seats::table
        .filter(seats::show_id.eq(1))
        .select((seats::label, seats::booking_id))
        .load(conn)?
        .into_iter()
        .collect();
    for (visitor, has_them) in &answers {
        let id: Uuid = visitor.id.parse()?;
        let has = |seat: &String| by_seat[seat] == Some(id);
        let (some, every) = (visitor.wants.iter().any(has), visitor.wants.iter().all(has));
        assert_eq!((some, every), (*has_them, *has_them), "all of {:?} or none, seed {seed}", visitor.wants);
        let is_taken = visitor.wants.iter().any(|seat| by_seat[seat].is_some());
        assert!(is_taken, "{:?} are free and were refused, seed {seed}", visitor.wants);
    }
    let happy = |by_browser| answers.iter().filter(|(visitor, has)| *has && visitor.by_browser == by_browser).count();
    let (browsers, clients) = (happy(true), happy(false));
    let booked: i64 = bookings::table.count().get_result(conn)?;
    assert_eq!(usize::try_from(booked)?, browsers + clients, "seed {seed}");
    assert!(browsers > 0 && clients > 0);
    let taken = by_seat.values().flatten().count();
    println!(
        "{VISITORS} visitors: {browsers} by browser and {clients} by JSON have {taken} of {} seats",
        by_seat.len()
    );
    Ok(())
}
