//! Promises that an attack from outside has broken, each with the right value. `tests/FAULTS.md` says which fault each holds.
//!
//! A program of its own, so that a change to one of these need not build the whole suite.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::type_complexity, reason = "tables of closures")]
#![allow(clippy::duplicate_mod, reason = "what every server promises is included once for each")]

mod foreign;
mod mysql;
mod postgres;

#[path = "../isolation/mod.rs"]
mod isolation;
#[path = "../support/mod.rs"]
mod support;
