//! The part of the contract that holds where a transaction is the only writer, once for each driver.

mod blocking;
mod blocking_wal;
mod nonblocking;
mod pooled;
