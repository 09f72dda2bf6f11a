//! MySQL and MariaDB.

use diesel::MysqlConnection;
use diesel_async::AsyncMysqlConnection as Conn;

use super::{Asynchronous, Awaited};
use crate::count::Verb;

#[path = "verbs.rs"]
mod verbs;

impl Asynchronous for Conn {
    type Server = MysqlConnection;

    /// Otherwise it goes on over the server's socket, past the proxy.
    const PARAMETERS: &'static [(&'static str, &'static str)] = &[("prefer_socket", "false")];

    fn verbs() -> Vec<Verb<Awaited<Self>>> {
        verbs::all()
    }
}
