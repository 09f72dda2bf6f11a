//! A test bench for code that locks rows: runs it in every order of its statements, on a real server.
//!
//! With the feature `testing`, over Diesel's connections to PostgreSQL, MySQL and MariaDB. It is meant for tests: enable the feature in `dev-dependencies`.
//!
//! - [`Interleave`] runs closures in every order of their statements, and reports the outcomes that no serial order has: lost updates, write
//!   skew, double claims, deadlocks.
//! - [`TestDatabase`] is a database of a test's own.

mod database;
mod interleave;
mod server;
mod statement;

pub use self::{
    database::TestDatabase,
    interleave::{Anomaly, Coverage, Finding, Interleave, InterleaveError, Outcome, Report, Schedule},
    server::{TestBackend, Wait},
};
