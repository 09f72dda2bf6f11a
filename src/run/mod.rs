//! The only place that touches a connection. Plans decide what to send; this sends it.

mod advisory_guard;
mod advisory_locks;
mod ask_holders;
mod blocking;
mod blocking_advisory;
mod blocking_pick;
mod blocking_query;
mod blocking_row;
mod blocking_transaction;
mod call;
mod connection;
mod fresh;
mod give_up;
mod guarded;
mod lost;
#[cfg(feature = "migrations")]
mod migrations;
mod rows;
mod send;
mod timer;
mod transaction_end;
mod watch;

#[cfg(feature = "migrations")]
pub use self::migrations::run_pending_migrations_locked;
pub use self::{
    advisory_guard::AdvisoryGuard,
    blocking::{LockDsl, RunLockSet},
    blocking_advisory::RunAdvisoryLock,
    blocking_pick::PickDsl,
    blocking_query::{LoadLocked, RunLockQuery},
    blocking_row::RunPatientRow,
    blocking_transaction::RunLockTransaction,
    connection::LockConnection,
};
