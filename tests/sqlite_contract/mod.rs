//! SQLite: the part of the contract that holds there, once for each driver.

mod blocking;
mod blocking_wal;
mod nonblocking;
mod pooled;
