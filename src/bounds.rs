//! The traits that generic code names in its bounds, beside [`LockConnection`](crate::LockConnection),
//! [`LockTarget`](crate::LockTarget) and [`Lockable`](trait@crate::Lockable). Other programs need none of them.
//!
//! ```
//! # include!("doctest_setup.rs");
//! use diesel_lockset::{
//!     bounds::{LockingBackend, SupportsStrength},
//!     markers::ForShare,
//! };
//!
//! /// Adds the accounts of a report, for any backend with shared locks.
//! fn accounts_of_report<DB>(ids: &[i32]) -> LockSet<'static, DB>
//! where
//!     DB: LockingBackend + SupportsStrength<ForShare>,
//!     Account: LockTarget<DB>,
//! {
//!     LockSet::new().ids::<Account>(ids).for_share()
//! }
//!
//! # fn main() { doctest(|conn| {
//! let locked = accounts_of_report(&[1, 2]).lock(conn)?;
//! # assert_eq!(locked.rows::<Account>().len(), 2);
//! # Ok(()) }) }
//! ```

pub use crate::{
    backend::{HasLockWaits, HasLockingClauses, LockingBackend, SupportsAdvisory, SupportsStrength},
    blocking::LoadLocked,
    key::{IntoKey, LockKey},
    pick::{ClaimFrom, PickFrom},
    sql::{LockableSelect, RowQuery, TableIn},
};
