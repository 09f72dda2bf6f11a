//! The service as its visitors meet it: a process of its own, with a database of its own, asked over HTTP.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../shared/mod.rs"]
mod shared;

mod answers;
mod browser;
mod page;
mod rush;
mod server;
mod stop;
