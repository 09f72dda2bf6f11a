#![doc = include_str!("../README.md")]
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]
#![cfg_attr(not(feature = "postgres"), allow(dead_code, unused_imports))] // the grammar without a tongue

// So that the derive works in this crate's own tests.
extern crate self as diesel_lockset;

mod advisory;
mod backend;
mod diesel_internals;
mod error;
mod key;
mod lock_set;
mod lockable;
mod mode;
mod pick;
mod run;
mod sql;
mod transaction;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
pub mod prelude;

/// Longer texts: why things are as they are, and what changed.
pub mod _documentation {
    #[doc = include_str!("../DESIGN.md")]
    pub mod design {}

    #[doc = include_str!("../CHANGELOG.md")]
    pub mod changelog {}
}

/// Implements [`Lockable`](trait@Lockable): says which table and which row a model stands for.
#[doc(inline)]
pub use diesel_lockset_derives::Lockable;

#[doc(inline)]
pub use self::{
    advisory::{AdvisoryLock, AdvisoryName, Exclusive, Shared},
    backend::{
        HasAdvisoryLocks, HasKeyLocks, HasShareLocks, HasSharedAdvisoryLocks, HasTransactionAdvisoryLocks,
        LockingBackend,
    },
    error::{Attempt, Holder, LockError, Result, RowName},
    key::{IntoKey, LockKey, RowKey},
    lock_set::{LockSet, Locked, PatientRow},
    lockable::Lockable,
    mode::{Isolation, Strength},
    pick::{ClaimFrom, PickFrom},
    run::{
        AdvisoryGuard, LoadLocked, LockConnection, LockDsl, PickDsl, RunAdvisoryLock, RunLockQuery, RunLockSet,
        RunLockTransaction, RunPatientRow,
    },
    sql::{
        Blocking, ForKeyShare, ForNoKeyUpdate, ForShare, ForUpdate, LockQueryDsl, LockTarget, LockableSelect, NoWait,
        RowLock, RowQuery, SkipLocked, TableIn, Timeout,
    },
    transaction::LockTransaction,
};
