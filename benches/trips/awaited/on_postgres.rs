//! PostgreSQL.

use diesel::PgConnection;
use diesel_async::AsyncPgConnection as Conn;

use super::{Asynchronous, Awaited};
use crate::count::Verb;

#[path = "verbs.rs"]
mod verbs;

impl Asynchronous for Conn {
    type Server = PgConnection;

    const PARAMETERS: &'static [(&'static str, &'static str)] = &[("sslmode", "disable")];

    fn verbs() -> Vec<Verb<Awaited<Self>>> {
        verbs::all()
    }
}
