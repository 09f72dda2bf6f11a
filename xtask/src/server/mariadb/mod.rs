//! A throw-away MariaDB on loopback: made, started, waited for, stopped.

mod data;
mod server;
mod settings;
mod tools;

pub(crate) use server::Server;
pub(crate) use settings::Purpose;
pub(crate) use tools::Tools;

/// The variable that names the server, called as in Diesel's own tests.
pub(crate) const VARIABLE: &str = "MYSQL_DATABASE_URL";
