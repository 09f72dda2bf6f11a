//! What an error means to the caller.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::{Attempt, LockError, Refusal, RetryClass, classify};

impl LockError {
    /// Running the whole transaction again can succeed without anything else being done:
    /// [`Deadlock`](Self::Deadlock), [`Serialization`](Self::Serialization) and [`LimitedRowsChanged`](Self::LimitedRowsChanged).
    ///
    /// A [`Contended`](Self::Contended) or [`TimedOut`](Self::TimedOut) call can be tried again too, but the caller has
    /// said that it would rather not wait. See [`is_contended`](Self::is_contended).
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        RetryClass::of(self) == Some(RetryClass::Retryable)
    }

    /// Somebody else holds what was asked for: [`Contended`](Self::Contended) and [`TimedOut`](Self::TimedOut).
    #[must_use]
    pub fn is_contended(&self) -> bool {
        matches!(RetryClass::of(self), Some(RetryClass::Contended | RetryClass::TimedOut))
    }

    /// The server has given the transaction up, so that nothing but a rollback makes sense.
    ///
    /// PostgreSQL gives up, after any error that it raises, the savepoint that the call was made in, or the transaction if
    /// there is none. MySQL and MariaDB give up the whole transaction after a [`Deadlock`](Self::Deadlock) and a
    /// [`Serialization`](Self::Serialization), and nothing after a lock timeout, `NOWAIT` or a canceled statement:
    /// those are known by their words, and for them this is `false`, also on a server with `innodb_rollback_on_timeout`, where
    /// the transaction is lost.
    ///
    /// An error does not say which server it is from, and the words of all others are not known. So this is `true` for
    /// every other [`Query`](Self::Query) that a server raised, a duplicate key say, although on MySQL and MariaDB the
    /// transaction goes on after it. To roll back is right in any case; code that knows its server can know better.
    ///
    /// It is `false` for [`CommitUnknown`](Self::CommitUnknown): no transaction is open any more, but its work may be kept.
    #[must_use]
    pub fn transaction_is_lost(&self) -> bool {
        match self {
            LockError::ReadOnly(_) | LockError::ConnectionLost(_) => true,
            LockError::Contended { source, .. } => {
                source.as_ref().is_some_and(|source| !classify::is_of_the_statement(source))
            }
            LockError::NotLockable { reason, source, .. } => source.is_some() && !reason.is_of_the_statement(),
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
            | LockError::Unsupported { .. }
            | LockError::OutOfOrder { .. }
            | LockError::Aborted
            | LockError::CommitUnknown(_)
            | LockError::LimitedRowsChanged { .. } => false,
        }
    }

    /// A clause that folds rows together.
    pub(crate) fn folded(clause: &'static str) -> Self {
        let advice = "its rows are not rows of a table; leave the clause out, or lock what the query chooses with \
                      `LockSet::new().query::<T>(query)`";
        LockError::Unsupported { clause, advice }
    }

    /// Models of one table whose `table!`s name its key in different ways.
    pub(crate) fn two_keys() -> Self {
        let advice =
            "their rows would be locked in two orders: give the `table!`s the same primary key, column by column";
        LockError::Unsupported { clause: "models of one table that have different keys", advice }
    }

    /// A table that is written in two ways.
    pub(crate) fn two_spellings() -> Self {
        let advice = "its rows would be locked in two passes, which can deadlock with a set that has one: write it in all models with \
                      its schema, or in none";
        LockError::Unsupported { clause: "one table under two names", advice }
    }

    /// Conditions that only a statement with a fresh snapshot can answer, in a transaction that has none.
    pub(crate) fn old_snapshot() -> Self {
        let advice = "at the isolation level of this transaction no statement sees what was committed while the row was waited for, so \
                      whether it still matches cannot be told: run the transaction at READ COMMITTED, \
                      `LockTransaction::new().isolation(Isolation::ReadCommitted)`, or lock by key";
        let clause = "conditions on more than the locked row (a join, a subquery, raw SQL or a function that is not the server's own)";
        LockError::Unsupported { clause, advice }
    }

    /// More keys than MySQL and MariaDB can be asked to sort at once.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn too_many_keys() -> Self {
        let advice = "only the server knows the order of such keys, and a statement holds 65,535 values: lock them in several \
                      transactions";
        LockError::Unsupported { clause: "so many keys that are not integers", advice }
    }

    /// More values than one statement of PostgreSQL's takes.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn too_many_values() -> Self {
        let advice = "one statement locks the rows of a table: choose them with fewer queries, compare with arrays (`eq_any`), or \
                      lock them in several transactions";
        LockError::Unsupported { clause: "more than 65,535 values in its conditions", advice }
    }

    /// An offset counts rows that are held by others, and a locking clause that skips does not.
    pub(crate) fn offset_without_wait() -> Self {
        let advice = "rows that are skipped would not be counted: lock what the query chooses with \
                      `LockSet::new().query::<T>(query).no_wait()`";
        LockError::Unsupported { clause: "OFFSET with no_wait", advice }
    }

    /// A table that PostgreSQL's locking clause cannot name.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn same_name_before() -> Self {
        let advice = "the locking clause knows no schemas and would lock the rows of the first one: put the table whose rows are \
                      wanted first in the query, or lock them with a `LockSet`";
        LockError::Unsupported { clause: "another table of the same name before its own", advice }
    }

    /// A table whose name would end a comment.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn comment_in_a_name() -> Self {
        let advice = "MariaDB would take the name for a part of a comment; lock its rows with a `LockSet`";
        LockError::Unsupported { clause: "`/*` or `*/` in the name of its table", advice }
    }

    /// An advisory lock on a server whose names are those of all its databases.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn no_database() -> Self {
        let advice = "MySQL and MariaDB have one set of names for all databases, so the database is part of each: name one in \
                      the URL of the connection, or `USE` one";
        LockError::Unsupported { clause: "an advisory lock without a database", advice }
    }

    /// An advisory lock on a server that replays another one's changes.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn on_a_standby() -> Self {
        let advice =
            "advisory locks are not replicated, so it would exclude nobody on the primary: connect to the primary";
        LockError::Unsupported { clause: "an advisory lock on a hot standby", advice }
    }

    /// A lock that is to outlive a transaction of whose end nobody tells the crate.
    pub(crate) fn end_unknown() -> Self {
        let advice = "MySQL and MariaDB do not release it when the transaction ends, and to release it earlier would be too \
                      early; take the lock before the transaction, begin that with `LockTransaction`, or use \
                      `hold_session` or `acquire`";
        LockError::Unsupported { clause: "`hold` in a transaction that was begun elsewhere", advice }
    }

    /// What a node of a cluster would have said if it had been asked at the right moment.
    pub(crate) fn rolled_back_by_cluster() -> Self {
        let message = "the server has rolled the transaction back between two of its statements".to_owned();
        let source = DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, Box::new(message));
        LockError::Serialization { attempt: None, source }
    }

    /// Whether MySQL or MariaDB have undone the statement, and nothing else, when they raised this.
    pub(crate) fn is_of_the_statement(error: &DieselError) -> bool {
        classify::is_of_the_statement(error)
    }

    /// Whether MySQL or MariaDB say that a wait for a lock took too long, and not that the statement did.
    #[allow(dead_code, reason = "of one backend only")]
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn is_of_a_wait(error: &DieselError) -> bool {
        classify::is_of_a_wait(error)
    }

    /// Whether MySQL or MariaDB have rolled the whole transaction back when they raised this.
    #[allow(dead_code, reason = "of one backend only")]
    pub(crate) fn is_of_a_lost_transaction(error: &DieselError) -> bool {
        matches!(error, DieselError::DatabaseError(..)) && classify::is_retryable(error)
    }

    /// The class of an error of `COMMIT`, or of a statement that is committed by itself, if that may have been committed all the
    /// same; else the error.
    pub(crate) fn of_commit(error: DieselError) -> Result<Self, DieselError> {
        if classify::may_be_committed(&error) {
            Ok(LockError::CommitUnknown(Refusal::commit_unknown(error)))
        } else {
            Err(error)
        }
    }

    /// The class of an error of a locking statement of ours that is committed by itself.
    pub(crate) fn of_autocommitted_statement(error: DieselError) -> Self {
        let sent_and_lost = matches!(error, DieselError::DatabaseError(..)) && classify::may_be_committed(&error);
        match Self::of_locking_statement(error) {
            LockError::ConnectionLost(error) if sent_and_lost => {
                LockError::CommitUnknown(Refusal::commit_unknown(error))
            }
            error => error,
        }
    }

    /// Of a [`RetriesExhausted`](Self::RetriesExhausted), the `LockError` that is its last error or lies beneath it; any other error as it is.
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

    /// The class of an error that a locking statement raised, for code that sends its own.
    ///
    /// Unlike `From`, which has to class the errors of any statement, it believes the server's words about lock timeouts,
    /// `NOWAIT` and canceled statements. Do not use it for statements that run procedures: those can raise any words.
    ///
    /// ```
    /// use diesel::result::{DatabaseErrorKind, Error};
    /// use diesel_lockset::LockError;
    ///
    /// let error = || {
    ///     let message = "canceling statement due to lock timeout".to_owned();
    ///     Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message))
    /// };
    /// assert!(matches!(LockError::of_locking_statement(error()), LockError::TimedOut { .. }));
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
