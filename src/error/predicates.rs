//! Predicates of [`LockError`] for the caller, and constructors of its variants for the crate.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::{Attempt, LockError, Refusal, RetryClass, classify};

impl LockError {
    /// Returns whether running the whole transaction again can succeed without any other change:
    /// [`Deadlock`](Self::Deadlock), [`Serialization`](Self::Serialization) and [`LimitedRowsChanged`](Self::LimitedRowsChanged).
    ///
    /// A [`Contended`](Self::Contended) or [`TimedOut`](Self::TimedOut) call can be tried again too, but there the wait policy of the
    /// caller was not to wait longer. See [`is_contended`](Self::is_contended).
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        RetryClass::of(self) == Some(RetryClass::Retryable)
    }

    /// Returns whether another session holds the requested lock: [`Contended`](Self::Contended) and [`TimedOut`](Self::TimedOut).
    #[must_use]
    pub fn is_contended(&self) -> bool {
        matches!(RetryClass::of(self), Some(RetryClass::Contended | RetryClass::TimedOut))
    }

    /// Returns whether the connection to the server is lost, so that the work goes on over another one: [`ConnectionLost`](Self::ConnectionLost)
    /// and [`CommitUnknown`](Self::CommitUnknown). After the latter, find out first whether the work was committed.
    #[must_use]
    pub fn is_connection_lost(&self) -> bool {
        matches!(self.last(), LockError::ConnectionLost(_) | LockError::CommitUnknown(_))
    }

    /// Returns whether the row does not exist: [`Missing`](Self::Missing), and [`Query`](Self::Query) with Diesel's
    /// [`NotFound`](DieselError::NotFound), of a query without a result. [`OptionalExtension::optional`](crate::OptionalExtension) makes
    /// `None` of it.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, LockError::Missing { .. } | LockError::Query(DieselError::NotFound))
    }

    /// Returns whether the server has aborted the transaction or rolled it back, so that only a rollback can follow.
    ///
    /// After any error that PostgreSQL raises, it aborts the savepoint that the call was made in, or the transaction if
    /// there is none. MySQL and MariaDB roll the whole transaction back after a [`Deadlock`](Self::Deadlock) and a
    /// [`Serialization`](Self::Serialization), and nothing after a lock timeout, `NOWAIT` or a canceled statement.
    /// The messages of the latter are known, and for them this is `false`, also on a server with `innodb_rollback_on_timeout`, where
    /// the transaction is lost.
    ///
    /// An error does not show which server it is from, and the crate does not know the messages of all other errors. So this is `true` for
    /// every other [`Query`](Self::Query) that a server raised, a duplicate key for instance, although on MySQL and MariaDB the
    /// transaction goes on after it. A rollback is right in any case; code that knows its server can decide otherwise.
    ///
    /// It is `false` for [`CommitUnknown`](Self::CommitUnknown): no transaction is open any more, but the work may be committed.
    #[must_use]
    pub fn transaction_is_lost(&self) -> bool {
        match self {
            LockError::ReadOnly(_) | LockError::ConnectionLost(_) => true,
            LockError::Contended { source, .. } => {
                source.as_ref().is_some_and(|source| !classify::is_of_the_statement(source))
            }
            LockError::NotLockable { reason, source, .. } => {
                !reason.is_of_the_statement()
                    && source.as_ref().is_some_and(|source| !classify::is_of_the_statement(source))
            }
            LockError::TimedOut { attempt, source } => {
                source.as_ref().is_some_and(|source| !classify::is_of_the_statement(source))
                    && !undone(attempt.as_deref())
            }
            LockError::Deadlock { attempt, source }
            | LockError::Serialization { attempt, source }
            | LockError::Canceled { attempt, source } => {
                !classify::is_of_the_statement(source) && !undone(attempt.as_deref())
            }
            LockError::Query(error) => {
                matches!(error, DieselError::DatabaseError(..)) && !classify::is_of_the_statement(error)
            }
            LockError::RetriesExhausted { nested, .. } => {
                *nested && !std::ptr::eq(self.last(), self) && self.last().transaction_is_lost()
            }
            LockError::NotInTransaction
            | LockError::Missing { .. }
            | LockError::NotInSet { .. }
            | LockError::AlreadyTaken { .. }
            | LockError::Stale { .. }
            | LockError::Unsupported { .. }
            | LockError::OutOfOrder { .. }
            | LockError::Aborted
            | LockError::CommitUnknown(_)
            | LockError::AdvisoryLockLost { .. }
            | LockError::LimitedRowsChanged { .. } => false,
        }
    }

    /// Builds the error for a clause that groups or deduplicates rows.
    pub(crate) fn folded(clause: &'static str) -> Self {
        let advice = "its rows are not rows of a table; leave the clause out, or lock what the query chooses with \
                      `LockSet::new().query::<T>(query)`";
        LockError::Unsupported { clause, advice }
    }

    /// Builds the error for models of one table whose `table!`s declare different keys.
    pub(crate) fn two_keys() -> Self {
        let advice =
            "their rows would be locked in two orders: give the `table!`s the same primary key, column by column";
        LockError::Unsupported { clause: "models of one table that have different keys", advice }
    }

    /// Builds the error for one table under two names.
    pub(crate) fn two_spellings() -> Self {
        let advice = "its rows would be locked in two passes, which can deadlock with a set that has one: write it in all models with \
                      its schema, or in none";
        LockError::Unsupported { clause: "one table under two names", advice }
    }

    /// Builds the error for an isolation level of a transaction that is open already.
    pub(crate) fn isolation_inside() -> Self {
        let advice = "only the outermost transaction chooses it: leave `isolation` out here; where an open transaction is given, as in a \
                      test, set the level of the session when it connects";
        LockError::Unsupported { clause: "an isolation level inside of an open transaction", advice }
    }

    /// Builds the error for conditions that need a statement with a fresh snapshot, in a transaction that keeps its old snapshot.
    pub(crate) fn old_snapshot() -> Self {
        let advice = "at the isolation level of this transaction no statement sees what was committed while the row was waited for, so \
                      whether it still matches cannot be told: run the transaction at READ COMMITTED, \
                      `LockTransaction::new().isolation(Isolation::ReadCommitted)`, or lock by key";
        let clause = "conditions on more than the locked row (a join, a subquery, raw SQL or a function that is not the server's own)";
        LockError::Unsupported { clause, advice }
    }

    /// Builds the error for more keys than MySQL, MariaDB or SQLite can sort in one statement.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn too_many_keys() -> Self {
        let advice = "only the server knows the order of such keys, and a statement holds 65,535 values, on SQLite 16,384: lock them \
                      in several transactions";
        LockError::Unsupported { clause: "so many keys that are not integers", advice }
    }

    /// Builds the error for more bind parameters than one statement of PostgreSQL can have.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn too_many_values() -> Self {
        let advice = "one statement locks the rows of a table: choose them with fewer queries, compare with arrays (`eq_any`), or \
                      lock them in several transactions";
        LockError::Unsupported { clause: "more than 65,535 values in its conditions", advice }
    }

    /// Builds the error for `OFFSET` with `no_wait`: the offset has to count the rows that other sessions hold, and a locking clause with
    /// `SKIP LOCKED` does not count them.
    pub(crate) fn offset_without_wait() -> Self {
        let advice = "rows that are skipped would not be counted: lock what the query chooses with \
                      `LockSet::new().query::<T>(query).no_wait()`";
        LockError::Unsupported { clause: "OFFSET with no_wait", advice }
    }

    /// Builds the error for a table that PostgreSQL's locking clause cannot name.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn same_name_before() -> Self {
        let advice = "the locking clause knows no schemas and would lock the rows of the first one: put the table whose rows are \
                      wanted first in the query, or lock them with a `LockSet`";
        LockError::Unsupported { clause: "another table of the same name before its own", advice }
    }

    /// Builds the error for a table whose name would begin or end a comment.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn comment_in_a_name() -> Self {
        let advice = "MariaDB would take the name for a part of a comment; lock its rows with a `LockSet`";
        LockError::Unsupported { clause: "`/*` or `*/` in the name of its table", advice }
    }

    /// Builds the error for an advisory lock on a connection to MySQL or MariaDB without a current database.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn no_database() -> Self {
        let advice = "MySQL and MariaDB have one set of names for all databases, so the database is part of each: name one in \
                      the URL of the connection, or `USE` one";
        LockError::Unsupported { clause: "an advisory lock without a database", advice }
    }

    /// Builds the error for an advisory lock on a hot standby.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn on_a_standby() -> Self {
        let advice =
            "advisory locks are not replicated, so it would exclude nobody on the primary: connect to the primary";
        LockError::Unsupported { clause: "an advisory lock on a hot standby", advice }
    }

    /// Builds the error for migrations whose waits are limited, in an open transaction.
    #[allow(dead_code, reason = "of one feature only")]
    pub(crate) fn limit_in_a_transaction() -> Self {
        let advice = "a migration that gives up its wait would leave the locks of those before it in place while it pauses: run the \
                      migrations outside of a transaction";
        LockError::Unsupported { clause: "`lock_timeout` for migrations in an open transaction", advice }
    }

    /// Builds the error for `hold` in a transaction that the crate did not begin, and whose end it cannot observe.
    pub(crate) fn end_unknown() -> Self {
        let advice = "MySQL and MariaDB do not release it when the transaction ends, and to release it earlier would be too \
                      early; take the lock before the transaction, begin that with `LockTransaction`, or use \
                      `hold_session` or `acquire`";
        LockError::Unsupported { clause: "`hold` in a transaction that was begun elsewhere", advice }
    }

    /// Builds the error for a claim whose rows were all kept from being changed by a trigger. The server reports nothing in this case, so a
    /// session that claims would get no rows, for ever.
    #[allow(dead_code, reason = "not of each backend")]
    pub(crate) fn refused_changes() -> Self {
        let advice = "a trigger of the table has kept every row that was picked from being changed, and they would be picked again and \
                      again: leave them out in the query, or have the trigger raise an error";
        LockError::Unsupported { clause: "rows that a trigger does not let be changed", advice }
    }

    /// Builds the error for a changed row that is no longer found under the key that it had.
    #[allow(dead_code, reason = "not of each backend")]
    pub(crate) fn changed_key() -> Self {
        let advice = "a changed row is read again by the key that it had: change the key by an UPDATE of its own";
        LockError::Unsupported { clause: "a claim that changes the primary key", advice }
    }

    /// Builds the error for a transaction of SQLite that has read before it was the writer, and cannot become the writer any more.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn old_reader() -> Self {
        Self::not_the_writer(
            "database is locked: this transaction has read before, and what it has read is, or is about to be, out of date",
        )
    }

    /// Builds the error for a transaction of SQLite that cannot wait for a connection which shares a cache with its own.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn in_a_shared_cache() -> Self {
        Self::not_the_writer(
            "database table is locked: connections of a shared cache do not wait for each other inside of a transaction",
        )
    }

    fn not_the_writer(message: &str) -> Self {
        let source = DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, Box::new(message.to_owned()));
        LockError::Serialization { attempt: None, source }
    }

    /// Returns whether SQLite reports that the database is busy.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn is_busy(error: &DieselError) -> bool {
        classify::is_busy(error)
    }

    /// Returns whether it is a connection of the same cache that is in the way.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn is_busy_in_a_shared_cache(error: &DieselError) -> bool {
        classify::is_busy_in_a_shared_cache(error)
    }

    /// Returns whether SQLite refuses a `COMMIT` because the transaction is over.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn is_over(error: &DieselError) -> bool {
        classify::is_over(error)
    }

    /// Builds the error for a transaction that a node of a cluster has rolled back between two of its statements, without reporting it.
    pub(crate) fn rolled_back_by_cluster() -> Self {
        let message = "the server has rolled the transaction back between two of its statements".to_owned();
        let source = DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, Box::new(message));
        LockError::Serialization { attempt: None, source }
    }

    /// Returns whether the error is one with which MySQL and MariaDB undo the statement and nothing else.
    pub(crate) fn is_of_the_statement(error: &DieselError) -> bool {
        classify::is_of_the_statement(error)
    }

    /// Returns whether the crate knows what an error of one of its statements means.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn is_known(error: &DieselError) -> bool {
        classify::is_known(error)
    }

    /// Returns whether the error is a lock timeout of MySQL or MariaDB, as opposed to a timeout of the statement.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn is_of_a_wait(error: &DieselError) -> bool {
        classify::is_of_a_wait(error)
    }

    /// Returns whether the error is one with which MySQL and MariaDB roll the whole transaction back.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn is_of_a_lost_transaction(error: &DieselError) -> bool {
        matches!(error, DieselError::DatabaseError(..)) && classify::is_retryable(error)
    }

    /// Returns a [`CommitUnknown`](Self::CommitUnknown) for an error of a `COMMIT`, or of a statement in autocommit, that may have been
    /// committed; else the error itself.
    pub(crate) fn of_commit(error: DieselError) -> Result<Self, DieselError> {
        if classify::may_be_committed(&error) {
            Ok(LockError::CommitUnknown(Refusal::commit_unknown(error)))
        } else {
            Err(error)
        }
    }

    /// Converts an error of a locking statement that this crate wrote and that ran in autocommit.
    pub(crate) fn of_autocommitted_statement(error: DieselError) -> Self {
        let sent_and_lost = matches!(error, DieselError::DatabaseError(..)) && classify::may_be_committed(&error);
        match Self::of_locking_statement(error) {
            LockError::ConnectionLost(error) if sent_and_lost => {
                LockError::CommitUnknown(Refusal::commit_unknown(error))
            }
            error => error,
        }
    }

    /// Returns the `LockError` that is the last error of a [`RetriesExhausted`](Self::RetriesExhausted), or that is found in its sources;
    /// `self` if there is none or if this is another variant.
    #[must_use]
    pub fn last(&self) -> &LockError {
        let LockError::RetriesExhausted { source, .. } = self else { return self };
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&**source);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<LockError>() {
                return error.last();
            }
            next = error.source();
        }
        self
    }

    /// Classifies an error that a locking statement raised, for code that sends its own.
    ///
    /// Unlike `From`, which has to classify the errors of any statement, it also relies on the server's messages about lock timeouts,
    /// `NOWAIT` and canceled statements. Do not use it for statements that run procedures: those can raise any message.
    ///
    /// ```
    /// use diesel::result::{DatabaseErrorKind, Error};
    /// use diesel_lockset::LockError;
    ///
    /// let error = || {
    ///     let message = "canceling statement due to lock timeout".to_owned();
    ///     Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message))
    /// };
    /// let locking = LockError::of_locking_statement(error());
    /// assert!(matches!(locking, LockError::TimedOut { .. }));
    /// assert!(matches!(LockError::from(error()), LockError::Query(_)));
    /// ```
    #[must_use]
    pub fn of_locking_statement(error: DieselError) -> Self {
        classify::locking_statement(error)
    }
}

fn undone(attempt: Option<&Attempt>) -> bool {
    attempt.is_some_and(Attempt::rolled_back)
}
