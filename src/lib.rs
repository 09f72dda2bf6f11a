// The first definition of a link counts: these take the place of the README's own, which are right on a page of the repository.
#![doc = "[`LockSet`]: LockSet"]
#![doc = "[`PickDsl`]: PickDsl"]
#![doc = "[`AdvisoryLock`]: AdvisoryLock"]
#![doc = "[`LockTransaction`]: LockTransaction"]
#![doc = "[transfer]: https://docs.rs/crate/diesel_lockset/latest/source/examples/transfer.rs"]
#![doc = "[inventory]: https://docs.rs/crate/diesel_lockset/latest/source/examples/inventory.rs"]
#![doc = "[booking]: https://docs.rs/crate/diesel_lockset/latest/source/examples/booking.rs"]
#![doc = "[order_with_items]: https://docs.rs/crate/diesel_lockset/latest/source/examples/order_with_items.rs"]
#![doc = "[entries]: https://docs.rs/crate/diesel_lockset/latest/source/examples/entries.rs"]
#![doc = "[worker_queue]: https://docs.rs/crate/diesel_lockset/latest/source/examples/worker_queue/main.rs"]
#![doc = "[async_worker_queue]: https://docs.rs/crate/diesel_lockset/latest/source/examples/async_worker_queue/main.rs"]
#![doc = "[notification]: https://docs.rs/crate/diesel_lockset/latest/source/examples/notification.rs"]
#![doc = "[article]: https://docs.rs/crate/diesel_lockset/latest/source/examples/article.rs"]
#![doc = "[booking_service]: https://github.com/diesel-lockset/diesel_lockset/tree/main/examples/booking_service"]
#![doc = "[recipes]: _documentation::recipes"]
#![doc = "[errors]: _documentation::errors"]
#![doc = "[verbs]: _documentation::verbs"]
#![doc = "[from]: _documentation::from_other_libraries"]
#![doc = "[isolation]: _documentation::isolation"]
#![doc = "[foreign_keys]: _documentation::foreign_keys"]
#![doc = "[poolers]: _documentation::poolers"]
#![cfg_attr(feature = "async", doc = "[async]: _documentation::asynchronous")]
#![cfg_attr(
    not(feature = "async"),
    doc = "[async]: https://docs.rs/diesel_lockset/latest/diesel_lockset/_documentation/asynchronous"
)]
#![doc = "[backends]: _documentation::backends"]
#![doc = "[sqlite]: _documentation::sqlite"]
#![doc = "[clusters]: _documentation::clusters"]
#![doc = "[troubleshooting]: _documentation::troubleshooting"]
#![doc = "[when_it_hangs]: _documentation::when_it_hangs"]
#![cfg_attr(feature = "testing", doc = "[testing]: _documentation::test_your_locking")]
#![cfg_attr(
    not(feature = "testing"),
    doc = "[testing]: https://docs.rs/diesel_lockset/latest/diesel_lockset/_documentation/test_your_locking"
)]
#![doc = "[design]: _documentation::design"]
#![doc = "[changelog]: _documentation::changelog"]
#![doc = "[contributing]: https://github.com/diesel-lockset/diesel_lockset/blob/main/CONTRIBUTING.md"]
#![doc = ""]
// Its code is run by `tests/front_page.rs`, so that it needs no hidden lines, which a page of the repository would show.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
#![cfg_attr(not(any(feature = "mysql", feature = "postgres")), allow(dead_code, unused_imports))] // without locking clauses
#![deny(missing_docs, rustdoc::broken_intra_doc_links, clippy::missing_errors_doc, clippy::missing_panics_doc)]
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
mod session;
mod sql;
mod transaction;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
pub mod bounds;
pub mod dsl;
pub mod error;
#[cfg(feature = "tracing")]
pub mod events;
pub mod explanation;
pub mod markers;
#[cfg(feature = "async")]
pub mod nonblocking;
pub mod prelude;
#[cfg(feature = "testing")]
pub mod testing;
pub mod waits;

/// The pages: recipes, errors, every verb with its SQL, and what to know about levels, foreign keys, pools, backends and clusters.
pub mod _documentation {
    #[doc = include_str!("../docs/recipes.md")]
    #[doc = "\n# The tables\n\n```rust,no_run\n# #![allow(dead_code)]"]
    #[doc = include_str!("../docs/recipes_setup.rs")]
    #[doc = "# fn main() {}\n```"]
    pub mod recipes {}

    #[doc = include_str!("../docs/errors.md")]
    pub mod errors {}

    #[doc = include_str!("../docs/verbs.md")]
    pub mod verbs {}

    #[doc = include_str!("../docs/isolation.md")]
    pub mod isolation {}

    #[doc = include_str!("../docs/foreign_keys.md")]
    pub mod foreign_keys {}

    #[doc = include_str!("../docs/poolers.md")]
    pub mod poolers {}

    #[cfg(feature = "async")]
    #[doc = include_str!("../docs/async.md")]
    pub mod asynchronous {}

    #[doc = include_str!("../docs/backends.md")]
    pub mod backends {}

    #[doc = include_str!("../docs/sqlite.md")]
    pub mod sqlite {}

    #[doc = include_str!("../docs/clusters.md")]
    pub mod clusters {}

    #[doc = include_str!("../docs/from_other_libraries.md")]
    pub mod from_other_libraries {}

    #[cfg(feature = "testing")]
    #[doc = include_str!("../docs/test_your_locking.md")]
    pub mod test_your_locking {}

    #[doc = include_str!("../docs/troubleshooting.md")]
    pub mod troubleshooting {}

    #[doc = include_str!("../docs/when_it_hangs.md")]
    pub mod when_it_hangs {}

    #[doc = include_str!("../DESIGN.md")]
    pub mod design {}

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
///         // Reloaded under the lock.
///         let order: Order = orders::table.find(self.id).first(conn)?;
///         if order.status == "sent" {
///             return Ok(false);
///         }
///         // .. send the mail ..
///         diesel::update(orders::table.find(order.id))
///             .set(orders::status.eq("sent"))
///             .execute(conn)?;
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
///     fn send_unless_somebody_does(
///         &self,
///         conn: &mut PgConnection,
///     ) -> Result<Option<bool>, LockError> {
///         let order = orders::table.find(self.id);
///         Ok(Some(diesel::delete(order).execute(conn)? > 0))
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
pub use self::blocking::{LockedMigrations, run_pending_migrations_locked};
#[doc(inline)]
pub use self::{
    advisory::{AdvisoryLock, AdvisoryName},
    blocking::{
        AdvisoryGuard, LockConnection, LockDsl, OwnedAdvisoryGuard, PickDsl, RunAdvisoryLock, RunLockQuery, RunLockSet,
        RunLockTransaction, RunLockWaits,
    },
    core::ExplainPick,
    error::{LockError, OptionalExtension, Result, RetryClass},
    lock_set::{LockSet, Locked},
    lockable::{Lockable, RowRequest},
    mode::{Isolation, Strength, WaitPolicy},
    sql::{LockQueryDsl, LockTarget, RowLock},
    transaction::LockTransaction,
    waits::LockWaits,
};
