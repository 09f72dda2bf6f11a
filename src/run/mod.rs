//! The only place that touches a connection. Plans decide what to send; this sends it.

mod blocking;
mod blocking_query;

pub use self::{
    blocking::{LockConnection, LockDsl, RunLockSet},
    blocking_query::{LoadLocked, RunLockQuery},
};
