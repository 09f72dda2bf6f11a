//! Promises of the contract that are PostgreSQL's: one statement for each table, whoever held a row named exactly, a call
//! that undoes itself after a deadlock, advisory locks that end with a transaction, several schemas, UUIDs, keys of any
//! length.
//!
//! Included once for each driver, as the contract is.

use super::{
    Driver,
    contract::{self, Arena, stale, types::Case, waiting},
    verbs,
};

mod advisory;
mod deadlocked;
mod equal_keys;
mod holders;
mod keys;
mod lock_set_statements;
mod schemas;
