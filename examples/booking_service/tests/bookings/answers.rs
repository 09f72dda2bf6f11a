//! The answer to everything that can go wrong, as JSON and as a page.

use std::time::Instant;

use booking_service::schema::Seat;
use diesel::prelude::*;
use diesel_lockset::prelude::*;
use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::{
    page::Page,
    server::{Server, block_on, header, new_id},
    shared::Result,
};

/// The status, the sentence and the seats of a problem.
async fn problem(answer: Response) -> Result<(u16, String, Value)> {
    assert_eq!(header(&answer, "content-type"), Some("application/problem+json"));
    let status = answer.status().as_u16();
    let problem: Value = answer.json().await?;
    assert_eq!(problem["status"], status);
    Ok((status, problem["detail"].as_str().unwrap_or_default().to_owned(), problem["seats"].clone()))
}

#[test]
fn booking_errors_have_a_status_and_a_sentence_in_json() -> Result<()> {
    let server = Server::start()?;
    block_on(async {
        assert_eq!(server.put(&new_id(), 1, &["A1", "A2"]).send().await?.status(), StatusCode::CREATED);
        let many: Vec<_> = ["C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "D1"].into();
        for (show, seats, status, sentence, named) in [
            (1, &["B1", "A2", "A1"][..], 409, "seats A1 and A2 have just been taken", &["A1", "A2"][..]),
            (1, &["B1", "Z9"], 404, "There is no seat Z9.", &["Z9"]),
            (9, &["A1"], 404, "There is no such show.", &[]),
            (3, &["A1"], 409, "The sale for this show is closed.", &[]),
            (1, &[], 422, "Choose at least one seat.", &[]),
            (1, &many, 422, "Choose no more than 8 seats.", &[]),
        ] {
            let (code, detail, about) = problem(server.put(&new_id(), show, seats).send().await?).await?;
            assert_eq!((code, about), (status, serde_json::to_value(named)?), "{detail}");
            assert!(detail.contains(sentence), "{detail}");
        }
        // Nothing was booked beside a seat that cannot be had.
        let show: Value = server.get("/api/shows/1").send().await?.json().await?;
        let taken = show["seats"].as_array().unwrap().iter().filter(|seat| seat["free"] == false);
        assert_eq!(taken.map(|seat| &seat["label"]).collect::<Vec<_>>(), ["A1", "A2"]);

        let (code, ..) = problem(server.put("no-uuid", 1, &["B1"]).send().await?).await?;
        assert_eq!(code, 400);
        let empty = server.put(&new_id(), 1, &[]).body("{");
        assert_eq!(problem(empty.send().await?).await?.0, 400);
        assert_eq!(problem(server.get(&format!("/api/bookings/{}", new_id())).send().await?).await?.0, 404);
        Ok(())
    })
}

#[test]
fn booking_errors_are_shown_on_the_page_with_what_was_entered() -> Result<()> {
    let server = Server::start()?;
    block_on(async {
        let booked = server.post(&new_id(), 1, &["A1"]).send().await?;
        assert_eq!(booked.status(), StatusCode::SEE_OTHER);
        let place = header(&booked, "location").unwrap().to_owned();
        let confirmation = server.get(&place).send().await?.error_for_status()?.text().await?;
        assert!(confirmation.contains("Ada") && confirmation.contains("A1"));

        let id = new_id();
        let refused = server.post(&id, 1, &["A1", "A2"]).send().await?;
        assert_eq!(refused.status(), StatusCode::CONFLICT);
        let page = Page::read(&refused.text().await?);
        assert_eq!(
            page.alert.as_deref(),
            Some("Not booked. Sorry, seat A1 has just been taken. Nothing was booked: choose other seats.",)
        );
        // The other seat is still chosen, and the form may be sent again as the same booking.
        assert_eq!((page.taken, page.chosen, page.id), (vec!["A1".to_owned()], vec!["A2".to_owned()], id));

        let nothing = server.post(&new_id(), 1, &[]).send().await?;
        assert_eq!(nothing.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert!(Page::read(&nothing.text().await?).alert.unwrap().contains("at least one seat"));
        for path in ["/shows/9", "/shows/x", "/bookings/x", "/no-such-page"] {
            assert_eq!(server.get(path).send().await?.status(), StatusCode::NOT_FOUND, "{path}");
        }
        Ok(())
    })
}

#[test]
fn a_booking_that_is_sent_twice_is_made_once() -> Result<()> {
    let server = Server::start()?;
    block_on(async {
        let id = new_id();
        for status in [StatusCode::CREATED, StatusCode::OK, StatusCode::OK] {
            let answer = server.put(&id, 1, &["A1", "A2"]).send().await?;
            assert_eq!(answer.status(), status);
            assert_eq!(answer.json::<Value>().await?["seats"], serde_json::json!(["A1", "A2"]));
        }
        assert_eq!(server.post(&id, 1, &["A1", "A2"]).send().await?.status(), StatusCode::SEE_OTHER);
        let (status, sentence, _) = problem(server.put(&id, 1, &["B1"]).send().await?).await?;
        assert_eq!((status, sentence.contains("exists already")), (409, true));
        Ok(())
    })
}

/// Another session, of an administrator for example, keeps a seat locked.
#[test]
fn a_booking_that_waits_too_long_is_told_to_come_back() -> Result<()> {
    let server = Server::start()?;
    let mut conn = server.database.connect()?;
    conn.transaction(|conn| {
        let _seat = Seat::lock_by_id((1, "A1".to_owned()), conn)?;
        block_on(async {
            let (begin, seats) = (Instant::now(), ["A1", "A2"]);
            let answer = server.put(&new_id(), 1, &seats).send().await?;
            assert_eq!(header(&answer, "retry-after"), Some("1"));
            let (status, sentence, _) = problem(answer).await?;
            assert_eq!((status, sentence.contains("Nothing was booked")), (503, true), "{sentence}");
            assert!(begin.elapsed().as_secs() >= 2, "it has waited");

            let answer = server.post(&new_id(), 1, &seats).send().await?;
            assert_eq!((answer.status(), header(&answer, "retry-after")), (StatusCode::SERVICE_UNAVAILABLE, Some("1")));
            assert!(Page::read(&answer.text().await?).alert.unwrap().contains("try again"));
            // The connections are whole: the other seats can be booked.
            assert_eq!(server.put(&new_id(), 1, &["A2"]).send().await?.status(), StatusCode::CREATED);
            Ok(())
        })
    })
}
