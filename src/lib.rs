#![doc = include_str!("../README.md")]
#![cfg_attr(not(any(feature = "mysql", feature = "postgres")), allow(dead_code, unused_imports))] // without locking clauses
#![deny(missing_docs, rustdoc::broken_intra_doc_links)]
#![allow(
    unreachable_pub,
    reason = "the types in hidden methods of public traits must be public, and nobody needs their names"
)]

// The derive writes `::diesel_lockset`, which must resolve in this crate's own tests too.
extern crate self as diesel_lockset;

mod advisory;
mod backend;
mod blocking;
mod core;
mod diesel_internals;
mod key;
mod lock_set;
mod lockable;
mod mode;
mod pick;
mod sql;
mod transaction;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
pub mod bounds;
pub mod dsl;
pub mod error;
pub mod markers;
#[cfg(feature = "async")]
pub mod nonblocking;
pub mod prelude;

/// Longer documents: asynchronous connections, code for several backends, clusters, SQLite, what other libraries call the same,
/// troubleshooting, the design, and the changelog.
pub mod _documentation {
    #[doc = include_str!("../DESIGN.md")]
    pub mod design {}

    #[cfg(feature = "async")]
    #[doc = include_str!("../docs/async.md")]
    pub mod asynchronous {}

    #[doc = include_str!("../docs/clusters.md")]
    pub mod clusters {}

    #[doc = include_str!("../docs/sqlite.md")]
    pub mod sqlite {}

    #[doc = include_str!("../docs/backends.md")]
    pub mod backends {}

    #[doc = include_str!("../docs/from_other_libraries.md")]
    pub mod from_other_libraries {}

    #[doc = include_str!("../docs/troubleshooting.md")]
    pub mod troubleshooting {}

    #[doc = include_str!("../CHANGELOG.md")]
    pub mod changelog {}
}

/// Implements [`Lockable`](trait@Lockable): maps a model to its table and its primary key.
#[doc(inline)]
pub use diesel_lockset_derives::Lockable;

/// Runs a method under the [`AdvisoryLock`] of `self`: one caller at a time for each primary key and each method.
///
/// # Example: send a mail once, however many sessions ask for it
///
/// ```
/// # include!("doctest_setup.rs");
/// impl Order {
///     #[advisory_locked(timeout = "5s")]
///     fn send(&self, conn: &mut PgConnection) -> Result<bool, LockError> {
///         let order: Order = orders::table.find(self.id).first(conn)?; // reloaded under the lock
///         if order.status == "sent" {
///             return Ok(false);
///         }
///         // .. send the mail ..
///         diesel::update(orders::table.find(order.id)).set(orders::status.eq("sent")).execute(conn)?;
///         Ok(true)
///     }
/// }
/// # fn main() {
/// # let conn = &mut establish();
/// # let order: Order = orders::table.find(1_i64).first(conn).unwrap();
/// assert!(order.send(conn).unwrap());
/// assert!(!order.send(conn).unwrap()); // through a stale copy
/// # }
/// ```
///
/// # Example: skip the work while another session does it
///
/// ```
/// # include!("doctest_setup.rs");
/// impl Order {
///     #[advisory_locked(scope = "send", try)]
///     fn send_unless_somebody_does(&self, conn: &mut PgConnection) -> Result<Option<bool>, LockError> {
///         Ok(Some(diesel::delete(orders::table.find(self.id)).execute(conn)? > 0))
///     }
/// }
/// # fn main() {
/// # let (conn, other) = (&mut establish(), &mut establish());
/// # let order = Order { id: 2, customer_id: 1, status: "open".to_owned() };
/// let sending = AdvisoryLock::on(&order).scope("send").acquire(other).unwrap();
/// assert_eq!(order.send_unless_somebody_does(conn).unwrap(), None);
/// drop(sending);
/// assert_eq!(order.send_unless_somebody_does(conn).unwrap(), Some(true));
/// # }
/// ```
///
/// # What it does
///
#[doc(inline)]
pub use diesel_lockset_derives::advisory_locked;

#[cfg(feature = "migrations")]
#[doc(inline)]
pub use self::blocking::run_pending_migrations_locked;
#[doc(inline)]
pub use self::{
    advisory::{AdvisoryLock, AdvisoryName},
    blocking::{
        AdvisoryGuard, LockConnection, LockDsl, PickDsl, RunAdvisoryLock, RunLockQuery, RunLockSet, RunLockTransaction,
    },
    error::{LockError, OptionalExtension, Result, RetryClass},
    lock_set::{LockSet, Locked, RowRequest},
    lockable::Lockable,
    mode::{Isolation, Strength, WaitPolicy},
    sql::{LockQueryDsl, LockTarget, RowLock},
    transaction::LockTransaction,
};
