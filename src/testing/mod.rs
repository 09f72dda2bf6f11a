//! A test bench for code that locks rows, on real servers.
//!
//! With the feature `testing`, over Diesel's connections to PostgreSQL, MySQL and MariaDB. It is meant for tests: enable the feature in
//! `dev-dependencies`. The page [`_documentation::test_your_locking`](crate::_documentation::test_your_locking) is a guide.
//!
//! - [`Interleave`] runs closures in every order of their statements, and reports the outcomes that no serial order has: lost updates, write
//!   skew, double claims, deadlocks.
//! - [`LockOrder`] watches in which order transactions lock tables and rows, and reports a possible deadlock before it happens.
//! - [`DeadlockLog`] reports both sides of a deadlock that happened: the statements of each session, with their places in the code.
//! - [`TestDatabase`] is a database of a test's own; [`Held`] holds rows from another session; [`LockProbe`] asks which rows are locked and who waits.

mod database;
mod deadlocks;
mod held;
mod interleave;
mod order;
mod place;
mod probe;
mod server;
mod statement;

pub use self::{
    database::TestDatabase,
    deadlocks::{DeadlockLog, DeadlockReport, DeadlockSide, LoggedStatement},
    held::Held,
    interleave::{Anomaly, CircleVerdict, Coverage, Finding, Interleave, InterleaveError, Outcome, Report, Schedule},
    order::{LockCircle, LockOrder, OrderFinding, RequiredOrder, TakenWhileHeld},
    probe::LockProbe,
    server::TestBackend,
};
