//! Locks a set, or one row, over a blocking Diesel connection.

use diesel::result::Error as DieselError;

use super::{
    connection::LockConnection,
    driver::{Blocking, now, transaction},
};
use crate::{
    backend::LockingBackend,
    core,
    error::{LockError, Result},
    key::IntoKey,
    lock_set::{LockSet, Locked},
    lockable::Lockable,
    sql::LockTarget,
};

/// Locks a [`LockSet`], or a single row with a wait policy, over a blocking connection.
pub trait RunLockSet<DB: LockingBackend>: Sized {
    /// The locked rows: [`Locked`] for a [`LockSet`], the row for a [`RowRequest`](crate::RowRequest), and an `Option` of it after
    /// [`skip_locked`](Lockable::skip_locked) and [`wait`](Lockable::wait).
    type Output;

    /// Locks every row of the set and returns the rows as they are now.
    ///
    /// It blocks while another session holds a row of the set, as long as the server waits. The locks end with the transaction; when
    /// a savepoint is rolled back, PostgreSQL releases those taken after it.
    ///
    /// It sends one statement per table on PostgreSQL, and none for an empty set. Further statements follow in these cases:
    ///
    /// - A row that a query had chosen changed before it could be locked.
    /// - The conditions of a query are on more than the locked row: one statement reads the [level](crate::Isolation) first, and the
    ///   query is sent once more when its rows are locked.
    /// - A requested key did not come back: it is missing, or row-level security keeps it from being locked.
    ///
    /// On MySQL and MariaDB each query is sent without a lock first, and each 512 keys are a statement. A limited query, and one with
    /// conditions on more than the row, is sent once more.
    ///
    /// On SQLite the transaction becomes the only writer, by one statement per table, and then reads the rows of each model by one statement
    /// ([page](crate::_documentation::sqlite)).
    ///
    /// # Errors
    ///
    /// | error | locked | the transaction |
    /// | --- | --- | --- |
    /// | [`LockError::NotInTransaction`] | nothing; nothing was sent | there is none |
    /// | [`LockError::Unsupported`]: a clause or raw SQL of a query | nothing; nothing was sent | goes on |
    /// | [`LockError::Missing`], under every wait policy | every row that exists | goes on |
    /// | [`LockError::Contended`] after `no_wait`, [`LockError::TimedOut`] after `timeout` | see [`no_wait`](LockSet::no_wait), [`timeout`](LockSet::timeout) | see there |
    /// | [`LockError::LimitedRowsChanged`] | the rows found so far | goes on |
    /// | [`LockError::NotLockable`]: the table is a view, for instance | nothing of that table; the tables before it | is aborted on PostgreSQL, goes on elsewhere |
    /// | [`LockError::NotLockable`]: row-level security | every other row | goes on |
    /// | [`LockError::Unsupported`]: one table under two keys or two names, or beside a partition of it | nothing | goes on |
    /// | [`LockError::Unsupported`]: a query that cannot be answered at the [level](crate::Isolation) of the transaction | nothing of that table; on PostgreSQL nothing | goes on |
    /// | [`LockError::Unsupported`]: two rows of one key, in a table and one that inherits from it (PostgreSQL) | every row of the table | goes on |
    /// | [`LockError::ReadOnly`] | nothing | is aborted on PostgreSQL, goes on elsewhere |
    /// | [`LockError::Deadlock`], [`LockError::Serialization`] | nothing any more, once it is rolled back | is aborted on PostgreSQL, rolled back elsewhere |
    /// | [`LockError::ConnectionLost`] | nothing any more | is gone |
    /// | [`LockError::Query`] | on PostgreSQL nothing any more, once it is rolled back | is aborted on PostgreSQL if the server raised it, goes on elsewhere |
    ///
    /// On PostgreSQL, `Serialization` occurs under READ COMMITTED too, if a row of the set moves to another partition while the set waits
    /// for it. Another try finds the row there, or if it was requested by a key that has changed with that, finds it missing.
    ///
    /// # Panics
    ///
    /// Never.
    fn lock<Conn>(self, conn: &mut Conn) -> Result<Self::Output>
    where
        Conn: LockConnection<Backend = DB>;
}

impl<DB: LockingBackend, W> RunLockSet<DB> for LockSet<'_, DB, W> {
    type Output = Locked;

    fn lock<Conn>(self, conn: &mut Conn) -> Result<Locked>
    where
        Conn: LockConnection<Backend = DB>,
    {
        now(core::lock(&mut Blocking(conn), self))
    }
}

/// Locks one row over a blocking connection: by its instance, by its key, or around a closure.
///
/// | PostgreSQL | MySQL, MariaDB | SQLite |
/// | --- | --- | --- |
/// | `SELECT .. FROM t WHERE id = $1 ORDER BY id FOR UPDATE OF t` | `SELECT .. FROM t FORCE INDEX (PRIMARY) WHERE id IN (?) ORDER BY id FOR UPDATE` | `DELETE FROM t WHERE 0`; `SELECT .. FROM t WHERE id IN (VALUES (?)) ORDER BY id` |
///
/// For another strength, or for more than one row, use a [`LockSet`].
pub trait LockDsl: Lockable {
    /// Locks the row of this instance `FOR UPDATE` and returns it as it is now.
    ///
    /// The instance itself is not changed: it has the values that were loaded, or that were set in memory since, and is
    /// stale by definition. None of its values is written.
    ///
    /// It blocks while another session holds the row. The lock ends with the transaction. Locking a row again that this transaction
    /// holds returns at once.
    ///
    /// The row's own columns are fresh. A value that the model computes by a subquery may be as old as the statement on PostgreSQL:
    /// [`LockSet`](crate::LockSet#subqueries-in-a-model).
    ///
    /// # Errors
    ///
    /// Those of [`RunLockSet::lock`]: [`LockError::NotInTransaction`] outside a transaction, [`LockError::Missing`] if the row
    /// does not exist.
    ///
    /// # Example: change the current row, not the loaded one
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() { doctest(|conn| {
    /// # let account: Account = accounts::table.find(1).first(conn)?;
    /// let account = account.lock(conn)?;
    /// diesel::update(accounts::table.find(account.id))
    ///     .set(accounts::balance.eq(account.balance - 30))
    ///     .execute(conn)?;
    /// # Ok(()) }) }
    /// ```
    fn lock<Conn>(&self, conn: &mut Conn) -> Result<Self>
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>;

    /// Locks the row with this primary key `FOR UPDATE` and returns it.
    ///
    /// # Errors
    ///
    /// As [`lock`](Self::lock).
    ///
    /// Under a wait policy: [`Account::by_id(1).timeout(..)`](crate::Lockable::by_id).
    ///
    /// # Example: not found
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() { doctest(|conn| {
    /// assert_eq!(Account::lock_by_id(1, conn)?.owner, "Ada");
    /// let gone = Account::lock_by_id(77, conn);
    /// assert!(matches!(gone, Err(LockError::Missing { .. })));
    /// # Ok(()) }) }
    /// ```
    fn lock_by_id<Conn>(id: impl IntoKey<Self::Key>, conn: &mut Conn) -> Result<Self>
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>;

    /// Opens a transaction, locks the row, runs the closure with the fresh row, and commits.
    ///
    /// Inside an open transaction it is a savepoint: the closure's work and, on PostgreSQL, the lock are undone if it
    /// fails, and are kept until the end of the outer transaction if it succeeds. An error of the closure rolls back and
    /// is returned unchanged; a panic rolls back and goes on unwinding.
    ///
    /// # Errors
    ///
    /// The closure's own; those of [`lock`](Self::lock) and of Diesel's
    /// [`transaction`](diesel::Connection::transaction), converted into the closure's error type; [`LockError::Aborted`]. In each case
    /// the changes are rolled back. Only after [`LockError::CommitUnknown`], if the answer to the `COMMIT` is lost, they may be committed.
    ///
    /// # Example: a transaction around one row
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() {
    /// # let conn = &mut establish();
    /// # let account: Account = accounts::table.find(1).first(conn).unwrap();
    /// let left = account.with_lock(conn, |account, conn| {
    ///     let left = account.balance - 30;
    ///     diesel::update(accounts::table.find(account.id))
    ///         .set(accounts::balance.eq(left))
    ///         .execute(conn)?;
    ///     Ok::<_, LockError>(left)
    /// });
    /// assert_eq!(left.unwrap(), 70);
    /// # }
    /// ```
    fn with_lock<Conn, R, E>(
        &self,
        conn: &mut Conn,
        f: impl FnOnce(Self, &mut Conn) -> std::result::Result<R, E>,
    ) -> std::result::Result<R, E>
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>,
        E: From<LockError> + From<DieselError>;
}

impl<T: Lockable> LockDsl for T {
    fn lock<Conn>(&self, conn: &mut Conn) -> Result<Self>
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>,
    {
        Self::lock_by_id(self.lock_key(), conn)
    }

    fn lock_by_id<Conn>(id: impl IntoKey<Self::Key>, conn: &mut Conn) -> Result<Self>
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>,
    {
        // Taken without a lookup by the key: the server found the row by it, and its own key may differ from it in Rust.
        RunLockSet::lock(LockSet::new().id::<T>(id), conn)?.take_only::<T>()
    }

    fn with_lock<Conn, R, E>(
        &self,
        conn: &mut Conn,
        f: impl FnOnce(Self, &mut Conn) -> std::result::Result<R, E>,
    ) -> std::result::Result<R, E>
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>,
        E: From<LockError> + From<DieselError>,
    {
        transaction(conn, |conn| {
            let row = LockDsl::lock(self, conn)?;
            f(row, conn)
        })
    }
}
