//! SIGTERM in the middle of a booking.

use std::process::Command;

use booking_service::schema::Seat;
use diesel::prelude::*;
use diesel_lockset::prelude::*;
use reqwest::StatusCode;

use crate::{
    server::{Server, new_id},
    shared::{Error, Result, until, waiting},
};

#[test]
fn a_booking_that_is_under_way_is_finished_before_the_service_stops() -> Result<()> {
    let mut server = Server::start()?;
    let mut conn = server.database.connect()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let request = server.put(&new_id(), 1, &["A1"]);
    let answer = conn.transaction(|conn| {
        let _seat = Seat::lock_by_id((1, "A1".to_owned()), conn)?;
        let answer = runtime.spawn(request.send());
        until("the booking waits", || Ok(waiting(conn)? == 1))?;
        let stopped = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", server.process.id())).status()?;
        assert!(stopped.success());
        until("the service takes no more visitors", || Ok(std::net::TcpStream::connect(address(&server)).is_err()))?;
        Ok::<_, Error>(answer)
    })?;
    assert_eq!(runtime.block_on(answer)??.status(), StatusCode::CREATED);
    assert!(server.process.wait()?.success());
    Ok(())
}

fn address(server: &Server) -> &str {
    server.address.trim_start_matches("http://")
}
