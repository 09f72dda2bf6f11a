//! Promises of the contract about things that MySQL and MariaDB lack: several schemas, UUIDs, keys of any length.
//!
//! Included once for each driver, as the contract is.

use super::{
    Driver,
    contract::{Arena, types::Case},
};

mod keys;
mod schemas;
