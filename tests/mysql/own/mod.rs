//! What MySQL and MariaDB are held to beyond the contract: no index may make a set lock more than it wants, or in another
//! order.
//!
//! Included once for each driver, as the contract is.

use super::{Driver, contract::Arena, verbs};

mod collations;
mod deadlocks;
mod exact;
mod foreign_keys;
mod key_only;
mod odd_keys;
mod picks;
mod stock;
mod strengths;
mod timeouts;
