//! The limit on the waits of a migration for locks.

use std::time::Duration;

use diesel::{backend::Backend, deserialize};

use crate::diesel_internals::{RowRef, Statement};

/// The statements that limit each wait of a migration for a lock.
#[doc(hidden)]
#[allow(dead_code, missing_debug_implementations, reason = "of one feature only")]
pub struct LockLimit<DB: Backend> {
    /// Builds the batch that sets the limit.
    pub set: fn(Duration) -> String,
    /// The batch that restores the settings; `None` where the end of the transaction does.
    pub restore: Option<&'static str>,
    /// The batch that takes back what a migration that has run leaves behind of `set`.
    pub forget: Option<&'static str>,
    /// The question whether a migration that failed has changed something; `None` where it is undone as a whole.
    pub changes: Option<Changes<DB>>,
}

/// Counts the statements of a session that may have changed something, those that failed included.
#[doc(hidden)]
#[allow(dead_code, missing_debug_implementations, reason = "of one feature only")]
pub struct Changes<DB: Backend> {
    pub statement: fn() -> Statement<'static, DB>,
    pub count: fn(&RowRef<'_, DB>) -> deserialize::Result<u64>,
}
