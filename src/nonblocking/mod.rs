//! The same calls over connections of [`diesel-async`](https://docs.rs/diesel-async): `AsyncPgConnection`, `AsyncMysqlConnection`, and both
//! out of a pool of `deadpool` or `bb8`.
//!
//! The verbs have the names of the blocking ones, and `.await` behind them; one import decides which are meant:
//!
//! ```no_run
//! # include!("../doctest_setup_async.rs");
//! # fn main() {}
//! use diesel_lockset::nonblocking::prelude::*;
//!
//! async fn pay(
//!     conn: &mut AsyncPgConnection,
//!     from: i32,
//!     to: i32,
//!     amount: i32,
//! ) -> Result<(), LockError> {
//!     LockTransaction::new()
//!         .run(conn, async |conn| {
//!             let set = LockSet::new().ids::<Account>([from, to]);
//!             let locked = set.lock(conn).await?;
//!             for (id, change) in [(from, -amount), (to, amount)] {
//!                 let balance = locked.id::<Account>(id)?.balance + change;
//!                 diesel::update(accounts::table.find(id))
//!                     .set(accounts::balance.eq(balance))
//!                     .execute(conn)
//!                     .await?;
//!             }
//!             Ok(())
//!         })
//!         .await
//! }
//! ```
//!
//! Lock sets, locked queries, picks, claims and advisory locks are built as for blocking connections, by the types of the crate's root:
//! their documentation says what is locked, by which SQL, and when a call waits.
//!
//! # Futures are `Send`
//!
//! For every connection, in generic code too: they can be spawned. `transaction` of `diesel-async` over a generic connection cannot
//! ([rust-lang/rust#100013][issue]); [`RunLockTransaction::run`] can. What a call keeps while it waits must be `Send`: the query, its
//! values, the closure and its captures. Blocking connections ask for none of this.
//!
//! # Cancel safety
//!
//! A future that is dropped before it is ready, by a timeout of the runtime for example, may leave a statement under way, a transaction
//! open and locks held. Nobody knows what the server will do with them. So two things happen when a future of this crate is dropped:
//!
//! - The connection is marked as broken: Diesel refuses transactions over it from then on, this crate every call
//!   ([`BrokenTransactionManager`][broken]), and a pool does not hand it out again.
//! - The session is told to end, without waiting for an answer. PostgreSQL: `ROLLBACK` and [`pg_terminate_backend`][terminate] of itself,
//!   which the server's log mentions (`terminating connection due to administrator command`); MySQL and MariaDB:
//!   [`KILL CONNECTION_ID()`][kill]. The transaction is rolled back and every lock is free then, whether or not a pool keeps the connection.
//!
//! The server reads this when it is done with the statement that was under way. A session that waits for a lock ends when it gets the lock:
//! [`CancelOnDrop`] ends such a wait at once.
//!
//! The page on [asynchronous connections](crate::_documentation::asynchronous#when-the-locks-end) says what this does not reach.
//!
//! For a limited wait use the timeouts of the crate, which end it on the server and leave the connection whole.
//!
//! [issue]: https://github.com/rust-lang/rust/issues/100013
//! [broken]: diesel::result::Error::BrokenTransactionManager
//! [terminate]: https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-SIGNAL
//! [kill]: https://dev.mysql.com/doc/refman/9.7/en/kill.html

mod advisory;
mod advisory_guard;
mod advisory_lock;
mod cancel;
mod catch;
mod closure;
mod connection;
mod driver;
mod manager;
#[cfg(feature = "migrations")]
mod migrations;
mod pick;
pub mod prelude;
mod query;
mod row;
mod set;
mod transaction;
mod waits;

#[cfg(feature = "migrations")]
pub use self::migrations::run_pending_migrations_locked;
pub use self::{
    advisory::RunAdvisoryLock,
    advisory_guard::{AdvisoryGuard, OwnedAdvisoryGuard},
    cancel::CancelOnDrop,
    closure::{AsyncClosure, AsyncRowClosure, ClosureFuture, RepeatableClosure},
    connection::LockConnection,
    pick::PickDsl,
    query::{LoadLocked, RunLockQuery},
    set::{LockDsl, RunLockSet},
    transaction::RunLockTransaction,
    waits::RunLockWaits,
};
