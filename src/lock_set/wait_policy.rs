//! The wait policy of a lock set: `no_wait`, `skip_locked` or `timeout`, chosen once for the whole set.

use std::{marker::PhantomData, time::Duration};

use super::LockSet;
use crate::{
    backend::{HasLockingClauses, LockingBackend},
    markers::{NoWait, SkipLocked, Timeout},
    mode::WaitPolicy,
};

impl<'a, DB: LockingBackend> LockSet<'a, DB> {
    /// Fails instead of waiting: if another session holds a row of the set, the call fails with
    /// [`LockError::Contended`](crate::LockError::Contended), which names the busy rows, and the transaction goes on. Rows that
    /// were free are locked then, those behind a busy one of the same table too, until the transaction ends.
    ///
    /// A lock that is compatible with the requested one is no reason to fail. For a lock on the table as a whole
    /// (`LOCK TABLE`, `ALTER TABLE`) the call does wait: it is no row lock.
    ///
    /// On SQLite no row is free while another transaction is the writer. The call waits for it for up to 20 ms
    /// ([why](crate::_documentation::sqlite#a-transaction-that-has-read-first)).
    ///
    /// | PostgreSQL, MySQL, MariaDB |
    /// | --- |
    /// | the statements of a waiting set with `SKIP LOCKED`; a plain `SELECT` of the rows that did not come back, if there are any |
    ///
    /// `NOWAIT` itself is not sent: it takes the transaction with it and does not name the busy row.
    ///
    /// # Example: name the rows that are busy
    ///
    /// ```
    /// # include!("../doctest_setup.rs");
    /// # fn main() { doctest(|conn| {
    /// match LockSet::new().ids::<Account>([1, 2]).no_wait().lock(conn) {
    ///     Ok(locked) => assert_eq!(locked.rows::<Account>().len(), 2),
    ///     Err(LockError::Contended { rows, .. }) => println!("busy: {}", rows[0]),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(()) }) }
    /// ```
    pub fn no_wait(self) -> LockSet<'a, DB, NoWait> {
        self.with_policy(WaitPolicy::NoWait)
    }

    /// Leaves out the rows that another session holds. On SQLite it does not compile: no row is held singly there.
    ///
    /// [`Locked::skipped`](crate::Locked::skipped) names those that were requested by instance or key. Rows that a query chose and that are
    /// held are left out without a report. A limit chooses first: a query for five rows of which two are held returns three.
    ///
    /// | PostgreSQL, MySQL, MariaDB |
    /// | --- |
    /// | the statements of a waiting set with `SKIP LOCKED`; a plain `SELECT` by key to tell skipped rows from missing ones, if some did not come back |
    pub fn skip_locked(self) -> LockSet<'a, DB, SkipLocked>
    where
        DB: HasLockingClauses,
    {
        self.with_policy(WaitPolicy::SkipLocked)
    }

    /// Waits at most this long in total, for all rows of all tables together; then fails with
    /// [`LockError::TimedOut`](crate::LockError::TimedOut).
    ///
    /// The server counts the time in whole milliseconds from the call on; transfer and computation take some milliseconds
    /// more. On MySQL and MariaDB a call that waits for a *table* that another session alters or locks as a whole waits for whole seconds,
    /// at least one, which are counted separately: such a call can exceed its timeout by the timeout itself, rounded up to the next whole
    /// second. PostgreSQL counts both together, but over `AsyncPgConnection`, which prepares each statement by a message of its own: there,
    /// too, such a call can exceed its timeout by the timeout itself. With [`name_holders`](Self::name_holders), a quarter of a second may be
    /// added.
    ///
    /// Zero means [`no_wait`](Self::no_wait), with the same error, and `None` no limit, for a value from a configuration. The server's own limits
    /// (`lock_timeout` and `statement_timeout`; `innodb_lock_wait_timeout`, [`max_execution_time`][mysql],
    /// [`max_statement_time`][mariadb]) still hold if they are shorter.
    ///
    /// After a timeout the transaction is aborted on PostgreSQL, unless [`name_holders`](Self::name_holders) is set: then the call undoes
    /// itself. On MySQL and MariaDB the transaction goes on, and keeps the rows that were locked so far. On SQLite it goes on; the limit is a
    /// `PRAGMA busy_timeout`, which is put back.
    ///
    /// | PostgreSQL | MySQL | MariaDB |
    /// | --- | --- | --- |
    /// | `SELECT .. set_config('statement_timeout', .., true) ..` before each statement; the locking statement puts it back by an `OFFSET` with the value 0, any other is followed by `SELECT set_config(..)` at the end | `SET max_execution_time = .., lock_wait_timeout = ..` before each statement, and at the end to put it back | in front of each statement `SET STATEMENT max_statement_time = .., lock_wait_timeout = .. FOR` |
    ///
    /// [mysql]: https://dev.mysql.com/doc/refman/9.7/en/server-system-variables.html#sysvar_max_execution_time
    /// [mariadb]: https://mariadb.com/docs/server/server-management/variables-and-modes/server-system-variables#max_statement_time
    pub fn timeout(self, timeout: impl Into<Option<Duration>>) -> LockSet<'a, DB, Timeout> {
        self.with_policy(WaitPolicy::timeout(timeout))
    }

    /// Waits as the policy says, which is known at run time only.
    pub fn wait(self, policy: WaitPolicy) -> LockSet<'a, DB, WaitPolicy>
    where
        DB: HasLockingClauses,
    {
        self.with_policy(policy.normalized())
    }

    pub(super) fn with_policy<W>(self, wait_policy: WaitPolicy) -> LockSet<'a, DB, W> {
        let LockSet { parts, advisory, strength, allow_missing, name_holders, unchanged, .. } = self;
        LockSet { parts, advisory, strength, wait_policy, allow_missing, name_holders, unchanged, policy: PhantomData }
    }
}
