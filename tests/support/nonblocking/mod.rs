//! Sessions over the connections of `diesel-async`, for tests that are written for connections whose calls block.
//!
//! The connection is an [`AsyncConnectionWrapper`](diesel_async::async_connection_wrapper::AsyncConnectionWrapper): Diesel's own calls block on it, and `diesel-async` takes it for a connection of its
//! own, since it dereferences to one. The verbs of the crate over it are those of `diesel_lockset::nonblocking`, each
//! [blocked on](block_on); see [`verbs`].

mod guard;
mod runtime;
mod servers;
mod session;
pub(crate) mod verbs;

use diesel_async::{
    AsyncMysqlConnection, AsyncPgConnection,
    pooled_connection::{bb8, deadpool::Object},
};

pub(crate) use self::{
    runtime::{Blocked, block_on, runtime},
    session::Async,
};

/// A plain `AsyncPgConnection`.
pub(crate) type Nonblocking = Async<AsyncPgConnection>;

/// An `AsyncPgConnection` handed out by a pool of `deadpool`.
pub(crate) type NonblockingPooled = Async<Object<AsyncPgConnection>>;

/// A connection handed out by a pool of `bb8`, which it does not borrow.
pub(crate) type Owned<C> = bb8::PooledConnection<'static, C>;

/// An `AsyncPgConnection` handed out by a pool of `bb8`.
pub(crate) type NonblockingBb8 = Async<Owned<AsyncPgConnection>>;

/// A plain `AsyncMysqlConnection`.
pub(crate) type MysqlNonblocking = Async<AsyncMysqlConnection>;

/// An `AsyncMysqlConnection` handed out by a pool.
pub(crate) type MysqlNonblockingPooled = Async<Object<AsyncMysqlConnection>>;
