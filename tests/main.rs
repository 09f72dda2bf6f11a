//! The suite: the contract of the crate, run once for each backend and driver, and the rules of the house.
//!
//! | module | what is there |
//! | --- | --- |
//! | `contract` | what the crate promises, written once; knows no backend and no driver |
//! | `postgres` | the contract for PostgreSQL's drivers, and what only PostgreSQL promises |
//! | `mysql` | what holds on MySQL and MariaDB |
//! | `generic_backends` | one function for all of them |
//! | `isolation` | interleavings of sessions |
//! | `support` | a server, a database for each test, models, questions about locks |
//! | `layering`, `behaviours` | rules that the repository keeps |

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::duplicate_mod, reason = "the contract is included once for each driver")]
#![allow(clippy::type_complexity, reason = "tables of closures")]

mod behaviours;
mod generic_backends;
mod isolation;
mod layering;
mod mysql;
mod postgres;
mod support;
