//! Crashes of the server: a backend that is killed takes all sessions with it, and so does an immediate shutdown.

use diesel::{PgConnection, connection::SimpleConnection};

use super::blocking::contract::faults::crashes::every_step;
use crate::support::{arena::Arena, postgres::urls};

/// Runs the command where the server runs, in the directory of its data. The server's user may do that.
fn run(conn: &mut PgConnection, command: &str) {
    // The statement does not come back if the crash is quick.
    let _ = conn.batch_execute(&format!("COPY (SELECT) TO PROGRAM '{command}'"));
}

/// P08.
///
/// One test, since there is one server to crash.
#[test]
fn a_crash_is_a_lost_connection_at_every_step() {
    let arena = Arena::on(urls::crash_url());
    every_step(&arena, "the waiter", |conn, _, waiter| run(conn, &format!("kill -KILL {waiter}")));
    every_step(&arena, "the holder", |conn, holder, _| run(conn, &format!("kill -KILL {holder}")));
    // An immediate shutdown; whoever watches over the server starts it again.
    every_step(&arena, "the server", |conn, _, _| run(conn, "kill -QUIT $(head -n 1 postmaster.pid)"));
}
