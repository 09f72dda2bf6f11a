//! The module `testing`: what it must find, and where it must find nothing, on PostgreSQL and on MariaDB or MySQL.

#![allow(clippy::duplicate_mod, reason = "each server has tests of the same text")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod mysql;
mod postgres;
