//! The connections that rows can be locked over.

use diesel_async::AsyncConnection;

use crate::backend::LockingBackend;

/// A connection of `diesel-async` over which rows can be locked: `AsyncPgConnection`, `AsyncMysqlConnection`,
/// `SyncConnectionWrapper<SqliteConnection>`, and each of them out of a pool.
///
/// There is nothing to implement by hand.
#[diagnostic::on_unimplemented(
    message = "rows cannot be locked over `{Self}`",
    label = "not an asynchronous connection to a backend with row locks",
    note = "`AsyncPgConnection`, `AsyncMysqlConnection` and `SyncConnectionWrapper<SqliteConnection>` of `diesel-async` are, alone or out of \
            a pool, with the feature `postgres`, `mysql` or `sqlite` of diesel_lockset",
    note = "connections of Diesel itself block: their calls are in `diesel_lockset::prelude`"
)]
pub trait LockConnection: AsyncConnection<Backend: LockingBackend> {}

#[diagnostic::do_not_recommend]
impl<Conn> LockConnection for Conn where Conn: AsyncConnection<Backend: LockingBackend> {}
