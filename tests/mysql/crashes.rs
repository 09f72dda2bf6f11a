//! A crash of the server, which takes all sessions with it.

use std::{fs, process::Command};

use super::blocking::contract::faults::crashes::every_step;
use crate::support::{
    arena::ServerArena,
    mysql::{self, MysqlFamily},
    server::Server,
};

/// P08.
///
/// One test, since there is one server to crash.
#[test]
fn a_crash_is_a_lost_connection_at_every_step() {
    let arena = ServerArena::<MysqlFamily>::on(mysql::crash_url());
    every_step(&arena, "the server", |conn, _, _| {
        let file = MysqlFamily::text(conn, "SELECT @@pid_file").unwrap().expect("a path");
        // Whoever watches over the server starts it again.
        let pid = fs::read_to_string(file).expect("the server runs here, as our own user's or as root's");
        let killed = Command::new("kill").args(["-KILL", pid.trim()]).status().unwrap();
        assert!(killed.success());
    });
}
