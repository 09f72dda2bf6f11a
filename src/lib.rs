//! placeholder
#![cfg_attr(not(feature = "postgres"), allow(dead_code, unused_imports))]

mod backend;
mod diesel_internals;
mod error;
mod key;
mod lock_set;
mod lockable;
mod mode;
mod run;
mod sql;

pub mod prelude;
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

#[doc(inline)]
pub use self::{
    backend::{HasKeyLocks, HasShareLocks, LockingBackend},
    error::{LockError, Result, RowName},
    key::{IntoKey, LockKey, RowKey},
    lock_set::{LockSet, Locked},
    lockable::Lockable,
    mode::Strength,
    run::{LockConnection, LockDsl, RunLockSet},
    sql::{LockTarget, RowQuery},
};
pub use diesel_lockset_derives::Lockable;
