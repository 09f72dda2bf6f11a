//! The error type, [`LockError`]: one variant for each way in which the caller has to react, and the types of its fields.

mod attempt;
pub(crate) mod circle;
mod class;
mod classify;
mod context;
mod convert;
mod display;
mod holder;
mod listed;
mod mysql;
mod obstacle;
mod optional;
mod postgres;
mod predicates;
mod row_name;
mod sqlite;
mod stale;

use std::time::Duration;

use diesel::result::Error as DieselError;

#[allow(unused_imports, reason = "of one feature only")]
pub(crate) use self::classify::{Conflict, ends_with_a_lock_timeout};
pub use self::{
    attempt::Attempt,
    class::{Refusal, RetryClass},
    holder::Holder,
    obstacle::LockObstacle,
    optional::OptionalExtension,
    row_name::RowName,
    stale::{FieldChange, StaleRow},
};
pub(crate) use self::{class::Classed, classify::is_connection_lost, holder::Evidence};
pub use crate::key::RowKey;

/// The result of everything that locks. The page [errors](crate::_documentation::errors) shows it beside error types of an application's own.
pub type Result<T, E = LockError> = std::result::Result<T, E>;

/// The error of every call that locks.
///
/// Its [`source`](std::error::Error::source) is the server's error, except for [`Query`](Self::Query), whose text contains it. An
/// error that can be retried has a source in any case; without an error of the server, the source only names the class. So the class
/// is found even if an error type of the application shows this error as its own (`#[error(transparent)]`).
///
/// The documentation of each variant describes the state of the transaction after it, and the page
/// [errors](crate::_documentation::errors#the-transaction-after-each-error) has all of them in one table, with the remedies, and the error
/// types of an application's own. "Aborted" means that PostgreSQL refuses every
/// statement until the transaction, or the savepoint that the call was made in, is rolled back; leaving Diesel's
/// [`transaction`](diesel::Connection::transaction) closure with an error does that.
///
/// MySQL and MariaDB have no such state: an error undoes its statement and the transaction goes on, or it undoes the whole
/// transaction with its savepoints. [MySQL's manual][mysql] lists both kinds. A server with
/// [`innodb_rollback_on_timeout`][rollback] also undoes the transaction after a timeout, and MariaDB then does it after `NOWAIT`. The
/// error itself does not show it, so a call that meets such an error asks the server for the setting. If it is on, the rest of the
/// transaction is not committed, as after a deadlock.
///
/// [mysql]: https://dev.mysql.com/doc/refman/8.4/en/innodb-error-handling.html
/// [rollback]: https://mariadb.com/kb/en/innodb-system-variables/#innodb_rollback_on_timeout
#[derive(Debug)]
#[non_exhaustive]
pub enum LockError {
    /// The connection has no open transaction, so a row lock would be released before the call returns.
    ///
    /// No statement was sent. Open a transaction with [`Connection::transaction`](diesel::Connection::transaction), or
    /// use [`with_lock`](crate::LockDsl::with_lock), which opens one.
    NotInTransaction,

    /// Rows that were requested by instance or key do not exist, or no longer exist.
    ///
    /// The transaction goes on. The rows of the set that do exist are locked until it ends. To get them instead of this
    /// error, build the set with [`allow_missing`](crate::LockSet::allow_missing).
    Missing {
        /// All missing rows of the set, by table, then in the order of adding.
        rows: Vec<RowName>,
    },

    /// A row was looked up in a locked set that it is not part of, or all rows of its model were taken out of the set before.
    ///
    /// The transaction goes on.
    NotInSet {
        /// The model type of the lookup.
        type_name: &'static str,
        /// The key of the row.
        key: RowKey,
    },

    /// A row was looked up in a locked set that it was taken out of before, by [`Locked::take_id`](crate::Locked::take_id) for instance.
    ///
    /// A transfer from an account to itself takes the same row twice, for example. The transaction goes on.
    AlreadyTaken {
        /// The model type of the lookup.
        type_name: &'static str,
        /// The key of the row.
        key: RowKey,
    },

    /// Rows are not as the instances say that were added by [`LockSet::unchanged`](crate::LockSet::unchanged).
    ///
    /// The transaction goes on. All rows of the set are locked until it ends.
    Stale {
        /// All such rows, in the order of adding.
        rows: Vec<StaleRow>,
    },

    /// Another session holds a lock that was requested, and the wait policy is not to wait: `no_wait`, or a timeout of zero.
    ///
    /// The transaction goes on. Rows of the set that were free stay locked until it ends: those before the busy ones, and perhaps also
    /// those behind them in the same table, since all rows of the table are tried in order to name every busy one. To release
    /// them, make the call in a nested transaction and roll that back (PostgreSQL), or end the transaction. If there is a `source`,
    /// the server has refused the statement (`NOWAIT`): then PostgreSQL has aborted the transaction, and [MySQL] and [MariaDB] have not.
    ///
    /// [MySQL]: https://dev.mysql.com/doc/refman/8.4/en/innodb-locking-reads.html
    /// [MariaDB]: https://mariadb.com/kb/en/wait-and-nowait/
    Contended {
        /// The busy rows of the first table that had any.
        rows: Vec<RowName>,
        /// The sessions that hold the lock; empty unless [`name_holders`](crate::LockSet::name_holders) was set.
        holders: Vec<Holder>,
        /// The server's error, if the server raised one.
        source: Option<Refusal>,
    },

    /// The wait for rows took longer than the call, or the server's `lock_timeout` or `innodb_lock_wait_timeout`, allows.
    ///
    /// PostgreSQL: the transaction is aborted, unless [`Attempt::rolled_back`] is `true` or there is no
    /// `source` (then the time was up between two statements).
    ///
    /// MySQL and MariaDB: the transaction goes on, and rows that the call locked before stay locked until it ends
    /// ([manual][mysql]). SQLite: the transaction goes on; a `COMMIT` that timed out is rolled back.
    ///
    /// [mysql]: https://dev.mysql.com/doc/refman/8.4/en/innodb-parameters.html#sysvar_innodb_lock_wait_timeout
    TimedOut {
        /// The call that timed out.
        attempt: Option<Box<Attempt>>,
        /// The server's error.
        source: Option<Refusal>,
    },

    /// The transaction or the server is read-only, and rows cannot be locked there.
    ///
    /// No row was locked. PostgreSQL: the transaction is aborted. MySQL and MariaDB: it goes on, and locks nothing
    /// ([manual][mysql]).
    ///
    /// [mysql]: https://dev.mysql.com/doc/refman/8.4/en/commit.html
    ReadOnly(DieselError),

    /// The call cannot be made for this query, set, lock, server or transaction; `clause` names the obstacle and `advice` the alternative.
    ///
    /// One obstacle is a clause of a boxed query, or [raw SQL](crate::LockQueryDsl#raw-sql) behind which the crate's own clauses would
    /// have no effect. Rows that a query groups or deduplicates cannot be locked: leave the clause out, or lock the rows that such a query
    /// chooses by key, with [`LockSet::query`](crate::LockSet::query). A pick has a limit of its own.
    ///
    /// The transaction goes on. Clauses, raw SQL and differing keys are found before a statement is sent. Other obstacles are found in an
    /// answer of the server; rows that the call has locked by then may stay locked until the transaction ends.
    Unsupported {
        /// The clause, or another obstacle.
        clause: &'static str,
        /// The alternative.
        advice: &'static str,
    },

    /// This session cannot lock the rows, even if no other session holds them; `reason` names the obstacle.
    ///
    /// Neither a longer wait nor another try changes it, so this is neither
    /// [retryable](Self::is_retryable) nor [contended](Self::is_contended).
    ///
    /// If there is no `source`, the transaction goes on, and the rows that the call locked before stay locked until it ends. If there is
    /// one, the server has refused the statement before it touched a row: PostgreSQL has aborted the transaction, MySQL and
    /// MariaDB have undone the statement, and the transaction goes on.
    NotLockable {
        /// The table, as it is written in SQL.
        table: String,
        /// The rows that cannot be locked; empty if it is all rows of the table.
        rows: Vec<RowName>,
        /// The obstacle.
        reason: LockObstacle,
        /// The server's error, if the server refused the statement.
        source: Option<Box<DieselError>>,
    },

    /// Two or more sessions waited for each other, and the server ended the statement of this one.
    ///
    /// Nothing of the transaction will be kept; run all of it again. Transactions that hold nothing but the rows of one lock set do
    /// not deadlock with each other: look for rows that were written or locked before, beside or after the set. Other causes
    /// are [listed](crate::LockSet#order).
    ///
    /// PostgreSQL: the transaction is aborted.
    ///
    /// MySQL and MariaDB: the server has rolled the whole transaction back, also the part before a savepoint, and would commit
    /// every further statement by itself ([MySQL's manual][mysql], [MariaDB's][mariadb]). A deadlock of `GET_LOCK` alone
    /// leaves the transaction as it was, but MariaDB reports it with the same message. If a method of an advisory lock returns it and the
    /// closure ignores it, the transaction goes on and can be committed.
    ///
    /// [mysql]: https://dev.mysql.com/doc/refman/8.4/en/innodb-deadlocks.html
    /// [mariadb]: https://mariadb.com/kb/en/innodb-lock-modes/
    Deadlock {
        /// The lock call that failed, if it was one.
        attempt: Option<Box<Attempt>>,
        /// The server's error. On PostgreSQL its detail lists the circle of processes: [`deadlocked_sessions`](Self::deadlocked_sessions).
        source: DieselError,
    },

    /// A row changed after this transaction had read it, or while it waited for it, in a way that its isolation level does not
    /// allow.
    ///
    /// Nothing of the transaction will be kept; run all of it again. PostgreSQL: it is aborted. Under REPEATABLE READ and
    /// SERIALIZABLE, any change after the snapshot causes it ([manual][postgres]). Under READ COMMITTED, one change does: an `UPDATE`
    /// that moves the row to another [partition], since the server does not follow a row there.
    ///
    /// MariaDB, with [`innodb_snapshot_isolation`][mariadb] (the default from 11.6.2 on): rolled back as by a
    /// [`Deadlock`](Self::Deadlock). MySQL has no such error: there a locking read returns the newest committed row.
    ///
    /// SQLite: the transaction [has read](crate::_documentation::sqlite) before it locks. It goes on, and cannot write.
    ///
    /// [postgres]: https://www.postgresql.org/docs/current/transaction-iso.html#XACT-REPEATABLE-READ
    /// [partition]: https://www.postgresql.org/docs/current/ddl-partitioning.html#DDL-PARTITIONING-DECLARATIVE-LIMITATIONS
    /// [mariadb]: https://mariadb.com/kb/en/innodb-system-variables/#innodb_snapshot_isolation
    Serialization {
        /// The lock call that failed, if it was one.
        attempt: Option<Box<Attempt>>,
        /// The server's error.
        source: DieselError,
    },

    /// The rows of the set changed while it waited, and a row that is new in it is held by another session: a limited query chose another
    /// row, because one that it had chosen first changed, or a requested key has a new row in the place of the old one.
    ///
    /// The set does not wait for the new row, since that could end in a deadlock, wherever the row is in the order: a row that is no longer
    /// in the set may be locked already. The transaction goes on and keeps the rows that it has locked. To get the rows, run all of it
    /// again.
    LimitedRowsChanged {
        /// The table, as it is written in SQL.
        table: String,
    },

    /// A lock set went back, in the order of tables and keys, behind an earlier set of the same transaction.
    ///
    /// It occurs only inside a [`LockTransaction`](crate::LockTransaction) with
    /// [`deny_out_of_order`](crate::LockTransaction::deny_out_of_order). If the order of tables shows it, the set has sent and locked
    /// nothing. If the order of keys shows it, the rows of the set are locked. The transaction goes on.
    OutOfOrder {
        /// The end of the earlier set.
        after: String,
        /// The start of this set.
        back_to: String,
    },

    /// A [`LockTransaction`](crate::LockTransaction) gave up.
    ///
    /// Nothing of any try is kept. An outer transaction is in the state that the last error describes.
    RetriesExhausted {
        /// The number of times that the closure was run.
        tries: u32,
        /// The duration of all tries.
        elapsed: Duration,
        /// True if it was not retried because it ran inside another transaction: only the outermost one can be run again.
        nested: bool,
        /// The last error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The closure returned `Ok`, but its transaction was over: a statement in it had failed and the server had aborted the
    /// transaction or rolled it back, or the closure had ended it itself.
    ///
    /// [`with_lock`](crate::LockDsl::with_lock) and [`LockTransaction`](crate::LockTransaction) return this error. Diesel's own
    /// `transaction` would return `Ok`, since PostgreSQL answers the `COMMIT` of an aborted transaction with a silent
    /// rollback, and MySQL and MariaDB have rolled back already.
    ///
    /// After a failed statement nothing is kept: return the error from the closure, or run the statement inside a nested transaction.
    /// A closure that sends `COMMIT` by itself, or on MySQL and MariaDB a statement that [commits implicitly][mysql] (`CREATE`,
    /// `ALTER`, `TRUNCATE`; a procedure with a `COMMIT`), has committed the statements before that and released the locks. The
    /// statements after it are rolled back on MySQL and MariaDB; PostgreSQL has committed each of them, unless the closure has begun
    /// another transaction, which is rolled back. SQLite commits each of them up to the next call of the crate
    /// ([details](crate::_documentation::sqlite)), and all of them if the closure has begun another transaction, which goes unnoticed.
    ///
    /// One case goes unnoticed, on PostgreSQL: a transaction that is ended and begun within one text, `COMMIT; BEGIN` in one
    /// `batch_execute`, or `COMMIT AND CHAIN`; over `diesel-async`, which does not see the transaction status, also in two texts. Diesel sees
    /// it at the end of a text, and to ask the server would cost two more statements. Leave the end of a transaction to the crate.
    ///
    /// [mysql]: https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html
    Aborted,

    /// A locking statement was canceled by an administrator, or by a limit for statements that this crate does not set:
    /// `statement_timeout`, `max_execution_time`, `max_statement_time`.
    ///
    /// PostgreSQL: the transaction is aborted, unless [`Attempt::rolled_back`] is `true`. MySQL and
    /// MariaDB: it goes on ([`KILL QUERY`][kill]).
    ///
    /// [kill]: https://dev.mysql.com/doc/refman/8.4/en/kill.html
    Canceled {
        /// The call that was canceled.
        attempt: Option<Box<Attempt>>,
        /// The server's error.
        source: DieselError,
    },

    /// The connection to the server is lost, and with it the transaction and all of its locks, on every server.
    ///
    /// Nothing of the transaction is kept: its `COMMIT` was never sent. If the `COMMIT` was sent and its answer is missing, the error is
    /// [`CommitUnknown`](Self::CommitUnknown).
    ///
    /// MySQL and MariaDB roll back when they [notice][mysql] it, which can take until `wait_timeout` after a failure of the network.
    ///
    /// An error that comes from Diesel alone does not show which statement was lost. So `?` on a statement outside of a transaction,
    /// or on Diesel's own [`transaction`](diesel::Connection::transaction), whose `COMMIT` may have been the lost statement, returns this
    /// variant as well. There the work may be committed.
    ///
    /// [mysql]: https://dev.mysql.com/doc/refman/8.4/en/gone-away.html
    ConnectionLost(DieselError),

    /// The outcome of a `COMMIT`, or of a statement in autocommit, is unknown: its answer was lost together with the connection, or a
    /// request to cancel it reached the server.
    ///
    /// Either everything is committed or nothing is; no lock is held any more. Find out which before doing the work again, over another
    /// connection if this one is lost: by a key that the work itself has written, for instance. Nothing retries it, not even a
    /// [`LockTransaction`](crate::LockTransaction) with [`retry_when`](crate::LockTransaction::retry_when).
    ///
    /// | call | possibly committed |
    /// | --- | --- |
    /// | [`LockTransaction`](crate::LockTransaction), [`with_lock`](crate::LockDsl::with_lock), [`hold`](crate::RunAdvisoryLock::hold), [`advisory_locked`](macro@crate::advisory_locked) | the work of the closure |
    /// | [`claim`](crate::PickDsl::claim) outside of a transaction | the claim: its rows come back when their lease has run out |
    /// | `run_pending_migrations_locked` | the migration that was running; those before it are committed, those behind it are not. Call it again: it finds the pending ones |
    ///
    /// It does not occur inside an open transaction: the end of a savepoint commits nothing.
    ///
    /// If the server refuses a `COMMIT`, because of a deferred constraint for instance, the server's error is returned and nothing is kept.
    /// The outcome is unknown in these cases:
    ///
    /// - PostgreSQL ends the session (`pg_terminate_backend`, shutdown, crash) before it has answered the `COMMIT`. If it ended the session
    ///   before the `COMMIT` was sent, as with [`idle_in_transaction_session_timeout`][idle], only the next statement notices it: if
    ///   that is the `COMMIT`, its outcome is unknown too.
    /// - The `COMMIT` is canceled on PostgreSQL, by a request or by `statement_timeout`. While the server checks deferred constraints, that
    ///   rolls back. Once it has committed, it reports the same error if it also logs the statement's duration. While it waits
    ///   for a [synchronous standby][sync], the result is a warning and `Ok`: committed on this server, perhaps not on the standby.
    /// - MySQL and MariaDB: `KILL QUERY`, shutdown, an error "during COMMIT", and a node of a cluster that loses the others. If the
    ///   session was ended earlier, the statement in front of the `COMMIT` notices it: that is
    ///   [`ConnectionLost`](Self::ConnectionLost).
    ///
    /// [idle]: https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-IDLE-IN-TRANSACTION-SESSION-TIMEOUT
    /// [sync]: https://www.postgresql.org/docs/current/warm-standby.html#SYNCHRONOUS-REPLICATION
    CommitUnknown(Refusal),

    /// A closure that ran under an advisory lock of the session returned `Ok`, and the session did not have the lock any more when it
    /// was to be released: it was lost meanwhile, and nobody knows when.
    ///
    /// The work of the closure is done; in an open transaction it is a part of that, which goes on if its session does. Another session may
    /// have done the same at the same time. The session was ended (`pg_terminate_backend`, `KILL`, a failure of the network), or a statement
    /// of the closure's has released the lock or, on MySQL and MariaDB, changed the database.
    /// [`hold_session`](crate::RunAdvisoryLock::hold_session) and `#[advisory_locked(session)]` return it; of a guard,
    /// [`release`](crate::AdvisoryGuard::release) is `false`. Nothing retries it.
    AdvisoryLockLost {
        /// The [canonical text](crate::AdvisoryName::text) of the lock.
        name: String,
    },

    /// Any other error of the database or of Diesel. Its text is part of the text of this error, so it is not its source.
    ///
    /// If the server raised it: PostgreSQL has aborted the transaction; MySQL and MariaDB have undone the statement, and the
    /// transaction goes on ([manual][mysql]).
    ///
    /// [mysql]: https://dev.mysql.com/doc/refman/8.4/en/innodb-error-handling.html
    Query(DieselError),
}

#[cfg(test)]
mod tests {
    use super::{LockError, RowName};
    use crate::key::RowKey;

    fn accounts(ids: std::ops::Range<i32>) -> LockError {
        let row = |id| RowName::new("Account", "\"accounts\"", RowKey::new(id));
        LockError::Missing { rows: ids.map(row).collect() }
    }

    #[test]
    fn missing_rows_are_named() {
        assert_eq!(accounts(3..4).to_string(), "Account 3 does not exist: deleted since it was loaded, or never there");
        assert_eq!(
            accounts(3..6).to_string(),
            "Account 3, Account 4 and Account 5 do not exist: deleted since it was loaded, or never there"
        );
        assert!(accounts(0..70).to_string().contains("Account 19 and 50 more do not exist"));
    }

    #[test]
    fn a_lock_error_survives_the_way_through_diesels_error() {
        let error = LockError::from(diesel::result::Error::from(accounts(3..4)));
        assert!(matches!(error, LockError::Missing { .. }), "{error:?}");
    }

    #[test]
    fn errors_are_small_and_cross_threads() {
        fn crosses_threads<T: Send + Sync + 'static>() {}
        crosses_threads::<LockError>();
        assert!(size_of::<LockError>() <= 96, "{}", size_of::<LockError>());
    }
}
