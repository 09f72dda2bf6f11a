//! The verbs over connections whose calls block. Nothing is decided here.

mod advisory;
mod advisory_guard;
mod connection;
mod control;
mod driver;
mod kept;
#[cfg(feature = "migrations")]
mod migrations;
mod pick;
mod query;
mod read;
mod row;
mod set;
mod transaction;
mod waits;

#[cfg(feature = "migrations")]
pub use self::migrations::{LockedMigrations, run_pending_migrations_locked};
pub use self::{
    advisory::RunAdvisoryLock,
    advisory_guard::{AdvisoryGuard, OwnedAdvisoryGuard},
    connection::LockConnection,
    pick::PickDsl,
    query::{LoadLocked, RunLockQuery},
    set::{LockDsl, RunLockSet},
    transaction::RunLockTransaction,
    waits::RunLockWaits,
};
