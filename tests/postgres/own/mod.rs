//! Promises of the contract about things that MySQL and MariaDB lack: several schemas, UUIDs, keys of any length, advisory
//! locks that end with a transaction.
//!
//! Included once for each driver, as the contract is.

use super::{
    Driver,
    contract::{self, Arena, types::Case},
};

mod advisory;
mod keys;
mod schemas;
