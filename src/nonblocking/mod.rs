//! The same calls over connections of `diesel-async`.

mod connection;
mod driver;
mod set;

pub use self::{connection::LockConnection, set::RunLockSet};
