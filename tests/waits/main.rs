//! What the crate tells about itself: snapshots of who waits for whom, explanations, events. Each is compared with what the server or
//! Diesel says.
//!
//! A program of its own, so that a change to it need not build the whole suite.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::duplicate_mod, reason = "the tests are included once for each driver")]

mod events;
mod explanations;
#[path = "../isolation/mod.rs"]
mod isolation;
mod mysql;
mod mysql_blocking;
mod mysql_nonblocking;
mod pg_blocking;
mod pg_nonblocking;
mod postgres;
mod redacted;
#[path = "../support/mod.rs"]
mod support;
