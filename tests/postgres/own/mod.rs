//! Promises of the contract that are PostgreSQL's: one statement for each table, whoever held a row named exactly, a call
//! that undoes itself after a deadlock, several schemas, UUIDs, keys of any length.
//!
//! Included once for each driver, as the contract is.

use super::{
    Driver,
    contract::{Arena, stale, types::Case, waiting},
};

mod deadlocked;
mod holders;
mod keys;
mod lock_set_statements;
mod schemas;
