//! The only place that touches a connection. Plans decide what to send; this sends it.

mod blocking;

pub use self::blocking::{LockConnection, LockDsl, RunLockSet};
