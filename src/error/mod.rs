//! What can go wrong, by what the caller does next.

mod attempt;
mod class;
mod classify;
mod display;
mod listed;
mod mysql;
mod obstacle;
mod postgres;
mod predicates;
mod row_name;

use std::time::Duration;

use diesel::result::Error as DieselError;

pub(crate) use self::class::{Classed, RetryClass};
pub use self::{
    attempt::{Attempt, Holder},
    class::Refusal,
    obstacle::LockObstacle,
    row_name::RowName,
};
use crate::key::RowKey;

/// The result of everything that locks.
pub type Result<T, E = LockError> = std::result::Result<T, E>;

/// Why rows were not locked.
///
/// Its [`source`](std::error::Error::source) is what the server said, except for [`Query`](Self::Query), whose text has it. What
/// another try can mend has a source in any case, which only names the class: so the class is found even where an error type of
/// the application's shows this error as its own (`#[error(transparent)]`).
///
/// Each variant says in what state it leaves the transaction. "Aborted" means that PostgreSQL refuses every statement
/// until the transaction, or the savepoint that the call was made in, is rolled back; leaving Diesel's
/// [`transaction`](diesel::Connection::transaction) closure with an error does that.
///
/// MySQL and MariaDB know no such state: an error undoes its statement and the transaction goes on, or it undoes the whole
/// transaction, savepoints and all. Which one does what is in [MySQL's manual][mysql]; a server with
/// [`innodb_rollback_on_timeout`][rollback] does the second after a timeout too, and MariaDB then does it after `NOWAIT`. A call
/// that meets such an error asks the server for the setting; what follows in the transaction is not committed, as after a
/// deadlock. The error itself does not tell.
///
/// [mysql]: https://dev.mysql.com/doc/refman/8.4/en/innodb-error-handling.html
/// [rollback]: https://mariadb.com/kb/en/innodb-system-variables/#innodb_rollback_on_timeout
#[derive(Debug)]
#[non_exhaustive]
pub enum LockError {
    /// The connection has no open transaction, so a row lock would be gone when the call returns.
    ///
    /// No statement was sent. Open a transaction with [`Connection::transaction`](diesel::Connection::transaction), or
    /// use [`with_lock`](crate::LockDsl::with_lock), which opens one.
    NotInTransaction,

    /// Rows asked for by instance or key do not exist (any more).
    ///
    /// The transaction goes on. The rows of the set that do exist are locked until it ends. To get them instead of this
    /// error, build the set with [`allow_missing`](crate::LockSet::allow_missing).
    Missing {
        /// Every missing row of the set, by table, then in the order of adding.
        rows: Vec<RowName>,
    },

    /// A row was looked up in a locked set that it was never part of.
    ///
    /// The transaction goes on.
    NotInSet {
        /// The model that the row was looked up as.
        type_name: &'static str,
        /// Its key.
        key: RowKey,
    },

    /// Somebody else holds rows, and the call was told not to wait: `no_wait`, or a timeout of zero.
    ///
    /// The transaction goes on. Rows of the set that were free stay locked until it ends: those before the busy ones, and of
    /// their table perhaps also those behind them, since the whole table is looked at to name all that are busy. To let go of
    /// them, make the call in a nested transaction and roll that back (PostgreSQL), or end the transaction. If there is a `source`, the server has refused the statement (`NOWAIT`): then PostgreSQL has aborted the transaction, and [MySQL] and
    /// [MariaDB] have not.
    ///
    /// [MySQL]: https://dev.mysql.com/doc/refman/8.4/en/innodb-locking-reads.html
    /// [MariaDB]: https://mariadb.com/kb/en/wait-and-nowait/
    Contended {
        /// The busy rows of the first table that had any.
        rows: Vec<RowName>,
        /// Who holds them; empty unless [`name_holders`](crate::LockSet::name_holders) was asked for.
        holders: Vec<Holder>,
        /// The server's error, if it was the server who said so.
        source: Option<Refusal>,
    },

    /// The wait for rows took longer than the call, or the server's `lock_timeout` or `innodb_lock_wait_timeout`, allows.
    ///
    /// PostgreSQL: the transaction is aborted, unless [`Attempt::rolled_back`] says that the call undid itself or there is no
    /// `source` (then the time was up between two statements).
    ///
    /// MySQL and MariaDB: the transaction goes on, and rows that the call locked before stay locked until it ends
    /// ([manual][mysql]).
    ///
    /// [mysql]: https://dev.mysql.com/doc/refman/8.4/en/innodb-parameters.html#sysvar_innodb_lock_wait_timeout
    TimedOut {
        /// What was being locked.
        attempt: Option<Box<Attempt>>,
        /// The server's error.
        source: Option<Refusal>,
    },

    /// The transaction, or the server, is read-only, and there a row cannot be locked.
    ///
    /// No row was locked. PostgreSQL: the transaction is aborted. MySQL and MariaDB: it goes on, and locks nothing
    /// ([manual][mysql]).
    ///
    /// [mysql]: https://dev.mysql.com/doc/refman/8.4/en/commit.html
    ReadOnly(DieselError),

    /// A boxed query has a clause that cannot be had together with the call, or [raw SQL](crate::LockQueryDsl#raw-sql) behind which the
    /// crate's own clauses would not count.
    ///
    /// No statement was sent; the transaction goes on. Rows that are folded together cannot be locked: leave the clause out,
    /// or lock by key what such a query chooses: [`LockSet::query`](crate::LockSet::query). A pick has a limit of its own.
    Unsupported {
        /// The clause.
        clause: &'static str,
        /// What to do instead.
        advice: &'static str,
    },

    /// The rows cannot be locked by this session, whoever holds them: the `reason` says why.
    ///
    /// Nothing will change by waiting or by running the transaction again, so this is neither
    /// [retryable](Self::is_retryable) nor [contended](Self::is_contended).
    ///
    /// If there is no `source`, the transaction goes on, and what the call locked before stays locked until it ends. If there is
    /// one, the server has refused the statement before it touched a row: PostgreSQL has aborted the transaction, MySQL and
    /// MariaDB have undone the statement, and the transaction goes on.
    NotLockable {
        /// The table, as SQL names it.
        table: String,
        /// The rows, if it is some rows of the table that cannot be locked; empty if it is all of them.
        rows: Vec<RowName>,
        /// Why.
        reason: LockObstacle,
        /// The server's error, if it was the server who refused.
        source: Option<Box<DieselError>>,
    },

    /// Two sessions waited for each other and the server ended this one's statement.
    ///
    /// Nothing of the transaction will be kept; run all of it again. Transactions that hold nothing but the rows of one lock set do
    /// not get into this with each other: look for what was written or locked before, beside or after the set. What else can
    /// do it is [listed](crate::LockSet#order).
    ///
    /// PostgreSQL: the transaction is aborted.
    ///
    /// MySQL and MariaDB: the server has rolled the whole transaction back, what came before a savepoint too, and would commit
    /// every further statement by itself ([MySQL's manual][mysql], [MariaDB's][mariadb]). A deadlock of `GET_LOCK` alone
    /// leaves the transaction as it was, but MariaDB says so in the same words: after one that an advisory lock's verb returns, a
    /// transaction that swallows it goes on and can be committed.
    ///
    /// [mysql]: https://dev.mysql.com/doc/refman/8.4/en/innodb-deadlocks.html
    /// [mariadb]: https://mariadb.com/kb/en/innodb-lock-modes/
    Deadlock {
        /// What was being locked, if it was a lock call that failed.
        attempt: Option<Box<Attempt>>,
        /// The server's error, with the circle in its detail.
        source: DieselError,
    },

    /// A row changed after this transaction had read it, or while it waited for it, in a way that its isolation level does not
    /// allow.
    ///
    /// Nothing of the transaction will be kept; run all of it again. PostgreSQL: it is aborted. Under REPEATABLE READ and
    /// SERIALIZABLE, any change after the snapshot is one ([manual][postgres]). Under READ COMMITTED too, one is: an `UPDATE` that
    /// moves the row to another [partition], since the server does not follow a row there.
    ///
    /// MariaDB, with [`innodb_snapshot_isolation`][mariadb] (the default from 11.6.2 on): rolled back as by a
    /// [`Deadlock`](Self::Deadlock). MySQL has no such error: there a locking read returns the row as it is now.
    ///
    /// [postgres]: https://www.postgresql.org/docs/current/transaction-iso.html#XACT-REPEATABLE-READ
    /// [partition]: https://www.postgresql.org/docs/current/ddl-partitioning.html#DDL-PARTITIONING-DECLARATIVE-LIMITATIONS
    /// [mariadb]: https://mariadb.com/kb/en/innodb-system-variables/#innodb_snapshot_isolation
    Serialization {
        /// What was being locked, if it was a lock call that failed.
        attempt: Option<Box<Attempt>>,
        /// The server's error.
        source: DieselError,
    },

    /// A row that the set wants now is held by someone else, and it was not one of those that it wanted first: a limited query chose another
    /// row, because one that it had chosen changed while the set waited for it, or a row came into the place of one that was asked for by key.
    ///
    /// Waiting for it could end in a deadlock, wherever it stands in the order: what was waited for and has left may be locked all
    /// the same. The transaction goes on and holds what it has locked; to get the rows, run
    /// all of it again.
    LimitedRowsChanged {
        /// The table, as SQL names it.
        table: String,
    },

    /// A lock set went back in the order of tables and keys, behind an earlier set of the same transaction.
    ///
    /// Only inside a [`LockTransaction`](crate::LockTransaction) that was told to refuse it. Nothing was sent or locked by
    /// the set that went back if it is seen in the order of tables; if it is seen in the order of keys, its rows are
    /// locked. The transaction goes on.
    OutOfOrder {
        /// Where the earlier set had got to.
        after: String,
        /// Where this one starts.
        back_to: String,
    },

    /// A [`LockTransaction`](crate::LockTransaction) gave up.
    ///
    /// Nothing of any try is kept. Inside another transaction, that transaction is as the last error says.
    RetriesExhausted {
        /// How often the closure was run.
        tries: u32,
        /// How long all of it took.
        elapsed: Duration,
        /// It was not retried because it ran inside another transaction: only the outermost one can be run again.
        nested: bool,
        /// The last error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The closure returned `Ok`, but its transaction was over: a statement in it had failed and the server had given the
    /// transaction up, or the closure has ended it itself.
    ///
    /// [`with_lock`](crate::LockDsl::with_lock) and [`LockTransaction`](crate::LockTransaction) say so; Diesel's own
    /// `transaction` would return `Ok`, since PostgreSQL answers the `COMMIT` of an aborted transaction with a silent
    /// rollback, and MySQL and MariaDB have rolled back already.
    ///
    /// After a failed statement nothing is kept: return the error that the closure has met, or meet it inside a nested transaction.
    /// A closure that sends `COMMIT` by itself, or on MySQL and MariaDB a statement that [commits implicitly][mysql] (`CREATE`,
    /// `ALTER`, `TRUNCATE`; a procedure with a `COMMIT`), has committed what came before that and let go of the locks. What came
    /// after it is rolled back on MySQL and MariaDB; PostgreSQL has committed it statement by statement, unless the closure has begun
    /// another transaction, which is rolled back.
    ///
    /// One thing is not seen, on PostgreSQL: a transaction that is ended and begun within one text, `COMMIT; BEGIN` in one
    /// `batch_execute`, or `COMMIT AND CHAIN`. Diesel is told of the end of a text only, and to ask the server would cost every
    /// transaction two statements more. Leave the ends of transactions to the verbs.
    ///
    /// [mysql]: https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html
    Aborted,

    /// A locking statement was ended by an administrator, or by a limit for statements that is not this crate's:
    /// `statement_timeout`, `max_execution_time`, `max_statement_time`.
    ///
    /// PostgreSQL: the transaction is aborted, unless [`Attempt::rolled_back`] says that the call undid itself. MySQL and
    /// MariaDB: it goes on ([`KILL QUERY`][kill]).
    ///
    /// [kill]: https://dev.mysql.com/doc/refman/8.4/en/kill.html
    Canceled {
        /// What was being locked.
        attempt: Option<Box<Attempt>>,
        /// The server's error.
        source: DieselError,
    },

    /// The connection to the server is gone, and with it the transaction and all of its locks, on every server.
    ///
    /// Nothing of the transaction is kept: its `COMMIT` was never sent. If it was, and the answer is missing, the error is
    /// [`CommitUnknown`](Self::CommitUnknown).
    ///
    /// MySQL and MariaDB roll back when they [notice][mysql], which can take until `wait_timeout` if it was the network.
    ///
    /// An error that comes from Diesel alone does not say which statement was lost. So `?` on a statement outside of a transaction,
    /// or on Diesel's own [`transaction`](diesel::Connection::transaction), whose `COMMIT` may be what was lost, ends here as
    /// well; there the work may be in the database all the same.
    ///
    /// [mysql]: https://dev.mysql.com/doc/refman/8.4/en/gone-away.html
    ConnectionLost(DieselError),

    /// A `COMMIT` was sent, or a statement that is committed by itself, and it is not known what became of it: its answer was
    /// lost together with the connection, or the server was told to cancel it.
    ///
    /// Either everything is in the database or nothing is; no lock is held any more. Look which, over another connection if this
    /// one is lost, before doing it again: by a key that the work itself has written, for instance. Nothing retries it, a
    /// [`LockTransaction`](crate::LockTransaction) with [`retry_when`](crate::LockTransaction::retry_when) does not either.
    ///
    /// | call | what may have been committed |
    /// | --- | --- |
    /// | [`LockTransaction`](crate::LockTransaction), [`with_lock`](crate::LockDsl::with_lock), [`hold`](crate::RunAdvisoryLock::hold), [`advisory_locked`](macro@crate::advisory_locked) | the work of the closure |
    /// | [`claim`](crate::PickDsl::claim) outside of a transaction | the claim: its rows come back when their lease has run out |
    /// | `run_pending_migrations_locked` | the migration that was running; those before it are, those behind it are not. Call it again: it looks which are pending |
    ///
    /// Inside an open transaction it does not occur: the end of a savepoint commits nothing.
    ///
    /// What a server answers to a `COMMIT` that it refuses, a deferred constraint say, is that error: nothing is kept.
    /// These are answers that do not tell:
    ///
    /// - PostgreSQL ends the session (`pg_terminate_backend`, shutdown, crash) before it has answered the `COMMIT`. That it did so
    ///   before the `COMMIT` was sent, as with [`idle_in_transaction_session_timeout`][idle], is only seen by the next statement: if
    ///   that is the `COMMIT`, it is unknown too.
    /// - PostgreSQL is told to cancel the `COMMIT`, or `statement_timeout` ends it. While it checks deferred constraints, that
    ///   rolls back; once it has committed, it reports the same error if it also logs the statement's duration. While it waits
    ///   for a [synchronous standby][sync], it is a warning and `Ok`: committed here, perhaps not there.
    /// - MySQL and MariaDB: `KILL QUERY`, shutdown, an error "during COMMIT", and a node of a cluster that loses the others. A
    ///   session that was ended before is seen by the statement in front of the `COMMIT`: that is
    ///   [`ConnectionLost`](Self::ConnectionLost).
    ///
    /// [idle]: https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-IDLE-IN-TRANSACTION-SESSION-TIMEOUT
    /// [sync]: https://www.postgresql.org/docs/current/warm-standby.html#SYNCHRONOUS-REPLICATION
    CommitUnknown(Refusal),

    /// Any other error of the database or of Diesel. Its text is part of this one's, and it is no source.
    ///
    /// If the server raised it: PostgreSQL has aborted the transaction; MySQL and MariaDB have undone the statement, and the
    /// transaction goes on ([manual][mysql]).
    ///
    /// [mysql]: https://dev.mysql.com/doc/refman/8.4/en/innodb-error-handling.html
    Query(DieselError),
}

/// Finds the class of the error, so that `?` on any Diesel call inside a closure that returns [`LockError`] keeps it.
///
/// Classes that only the server's words tell, and that any stored procedure could say as well, are not believed here: see
/// [`LockError::of_locking_statement`]. On MySQL and MariaDB, three have only words and are believed all the same, if they
/// are the whole message, because it would be worse not to know: a deadlock, a snapshot out of date (1020), a lost connection.
/// A procedure that raises such words (`SIGNAL`) has its transaction rolled back and, in a
/// [`LockTransaction`](crate::LockTransaction), run again.
impl From<DieselError> for LockError {
    fn from(error: DieselError) -> Self {
        classify::any_statement(error)
    }
}

/// For closures that return Diesel's error: the Diesel error underneath, if there is one.
///
/// The others travel as [`QueryBuilderError`](DieselError::QueryBuilderError) and come out whole when turned into a
/// [`LockError`] again, as does a deadlock or serialization failure that Diesel's error alone would not show.
impl From<LockError> for DieselError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Deadlock { source: error, .. } | LockError::Serialization { source: error, .. }
                if classify::is_retryable(&error) =>
            {
                error
            }
            LockError::ReadOnly(error)
            | LockError::Canceled { source: error, .. }
            | LockError::ConnectionLost(error)
            | LockError::Query(error) => error,
            error => DieselError::QueryBuilderError(Box::new(error)),
        }
    }
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
