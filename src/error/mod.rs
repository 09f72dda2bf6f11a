//! What can go wrong, by what the caller does next.

mod attempt;
mod classify;
mod listed;
mod postgres;
mod row_name;

use std::time::Duration;

use diesel::result::Error as DieselError;

use self::listed::{Listed, verb};
pub use self::{
    attempt::{Attempt, Holder},
    row_name::RowName,
};
use crate::key::RowKey;

/// The result of everything that locks.
pub type Result<T, E = LockError> = std::result::Result<T, E>;

/// Why rows were not locked.
///
/// Each variant says in what state it leaves the transaction. "Aborted" means that PostgreSQL refuses every statement
/// until the transaction, or the savepoint that the call was made in, is rolled back; leaving Diesel's
/// [`transaction`](diesel::Connection::transaction) closure with an error does that.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// The connection has no open transaction, so a row lock would be gone when the call returns.
    ///
    /// No statement was sent. Open a transaction with [`Connection::transaction`](diesel::Connection::transaction), or
    /// use [`with_lock`](crate::LockDsl::with_lock), which opens one.
    #[error(
        "no transaction is open, so row locks would be released as soon as they are taken: \
         lock inside `connection.transaction(|connection| ..)`"
    )]
    NotInTransaction,

    /// Rows asked for by instance or key do not exist (any more).
    ///
    /// The transaction goes on. The rows of the set that do exist are locked until it ends. To get them instead of this
    /// error, build the set with [`allow_missing`](crate::LockSet::allow_missing).
    #[error("{} {} not exist: deleted since it was loaded, or never there", Listed(.rows), verb(.rows, "does", "do"))]
    Missing {
        /// Every missing row of the set, by table, then in the order of adding.
        rows: Vec<RowName>,
    },

    /// A row was looked up in a locked set that it was never part of.
    ///
    /// The transaction goes on.
    #[error(
        "{type_name} {key} is not part of this lock set: it was neither added to it nor chosen by one of its queries"
    )]
    NotInSet {
        /// The model that the row was looked up as.
        type_name: &'static str,
        /// Its key.
        key: RowKey,
    },

    /// Somebody else holds rows, and the call was told not to wait: `no_wait`, or a timeout of zero.
    ///
    /// The transaction goes on. Rows that the set locked before it met the busy ones stay locked until it ends.
    #[error(
        "{} {} held by another transaction, and this call was told not to wait{}: try again later, or give it time",
        Listed(.rows), verb(.rows, "is", "are"), .holders.iter().map(|holder| format!("; {holder}")).collect::<String>()
    )]
    Contended {
        /// The busy rows of the first table that had any.
        rows: Vec<RowName>,
        /// Who holds them; empty unless [`name_holders`](crate::LockSet::name_holders) was asked for.
        holders: Vec<Holder>,
        /// The server's error, if it was the server who said so.
        source: Option<DieselError>,
    },

    /// The wait for rows took longer than the call, or the server's `lock_timeout`, allows.
    ///
    /// The transaction is aborted, unless [`Attempt::rolled_back`] says that the call undid itself or there is no `source`
    /// (then the time was up between two statements).
    #[error(
        "timed out after {}: run the transaction again, or allow more time",
        .attempt.as_deref().map_or_else(|| "the server's lock_timeout".to_owned(), ToString::to_string)
    )]
    TimedOut {
        /// What was being locked.
        attempt: Option<Box<Attempt>>,
        /// The server's error.
        source: Option<DieselError>,
    },

    /// The transaction, or the server, is read-only, and there a row cannot be locked.
    ///
    /// No row was locked. The transaction is aborted.
    #[error("rows cannot be locked in a read-only transaction: open it for writing, on a server that takes writes")]
    ReadOnly(#[source] DieselError),

    /// A boxed query has a clause that cannot be had together with the call.
    ///
    /// No statement was sent; the transaction goes on. Rows that are folded together cannot be locked: leave the clause out,
    /// or lock by key what such a query chooses: [`LockSet::query`](crate::LockSet::query). A pick has a limit of its own.
    #[error("a query with {clause} cannot be locked like this: {advice}")]
    Unsupported {
        /// The clause.
        clause: &'static str,
        /// What to do instead.
        advice: &'static str,
    },

    /// Two sessions waited for each other and the server ended this one's statement.
    ///
    /// The transaction is aborted; nothing of it will be kept. Run all of it again. Two lock sets cannot get into this
    /// with each other: look for statements that lock in another order, before, beside or after the set.
    #[error(
        "deadlock{}: this transaction was chosen to give way to another; run all of it again",
        .attempt.as_deref().map_or_else(String::new, |attempt| format!(" after {attempt}"))
    )]
    Deadlock {
        /// What was being locked, if it was a lock call that failed.
        attempt: Option<Box<Attempt>>,
        /// The server's error, with the circle in its detail.
        source: DieselError,
    },

    /// Under REPEATABLE READ or SERIALIZABLE: a row changed after this transaction's snapshot was taken.
    ///
    /// The transaction is aborted. Run all of it again.
    #[error(
        "serialization failure{}: another transaction changed what this one has seen; run all of it again",
        .attempt.as_deref().map_or_else(String::new, |attempt| format!(" after {attempt}"))
    )]
    Serialization {
        /// What was being locked, if it was a lock call that failed.
        attempt: Option<Box<Attempt>>,
        /// The server's error.
        source: DieselError,
    },

    /// A limited query had to choose another row, because one that it had chosen changed while the set waited for it, and
    /// the row that it chose instead is held by someone else and comes earlier in the order.
    ///
    /// Waiting for it could end in a deadlock. The transaction goes on and holds what it has locked; to get the rows, run
    /// all of it again.
    #[error(
        "the rows of {table} that a limited query chooses changed while the set waited, and the row it chooses now is held \
         by another transaction and comes before one that this transaction holds; waiting for it could end in a deadlock: \
         run the transaction again"
    )]
    Moved {
        /// The table, as SQL names it.
        table: String,
    },

    /// A lock set went back in the order of tables and keys, behind an earlier set of the same transaction.
    ///
    /// Only inside a [`LockTransaction`](crate::LockTransaction) that was told to refuse it. Nothing was sent or locked by
    /// the set that went back if it is seen in the order of tables; if it is seen in the order of keys, its rows are
    /// locked. The transaction goes on.
    #[error(
        "this lock set goes back to {back_to} after an earlier one had locked {after}: another transaction that does the \
         opposite can deadlock with it; put both into one set"
    )]
    OutOfOrder {
        /// Where the earlier set had got to.
        after: String,
        /// Where this one starts.
        back_to: String,
    },

    /// A [`LockTransaction`](crate::LockTransaction) gave up.
    ///
    /// Nothing of any try is kept. Inside another transaction, that transaction is as the last error says.
    #[error("gave up after {tries} {} in {} ms{}", if *.tries == 1 { "try" } else { "tries" }, .elapsed.as_millis(),
        if *.nested { ", as a transaction inside of another one cannot be run again by itself" } else { "" })]
    GaveUp {
        /// How often the closure was run.
        tries: u32,
        /// How long all of it took.
        elapsed: Duration,
        /// It was not retried because it ran inside another transaction: only the outermost one can be run again.
        nested: bool,
        /// The last error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The closure returned `Ok`, but a statement in it had failed and the server had given the transaction up.
    ///
    /// [`with_lock`](crate::LockDsl::with_lock) and [`LockTransaction`](crate::LockTransaction) say so; Diesel's own
    /// `transaction` would return `Ok`, since PostgreSQL answers the `COMMIT` of an aborted transaction with a silent
    /// rollback. Nothing is kept. Return the error that the closure has met, or meet it inside a nested transaction.
    #[error(
        "nothing was committed: a statement had failed and the server had given the transaction up, but the closure \
         returned `Ok`"
    )]
    Aborted,

    /// A locking statement was ended by an administrator, or by a `statement_timeout` that is not this crate's.
    ///
    /// The transaction is aborted, unless [`Attempt::rolled_back`] says that the call undid itself.
    #[error(
        "canceled by an administrator or by statement_timeout{}",
        .attempt.as_deref().map_or_else(String::new, |attempt| format!(" after {attempt}"))
    )]
    Canceled {
        /// What was being locked.
        attempt: Option<Box<Attempt>>,
        /// The server's error.
        source: DieselError,
    },

    /// The connection to the server is gone, and with it the transaction and all of its locks.
    #[error("the connection to the server is lost, and with it the transaction and its locks")]
    ConnectionLost(#[source] DieselError),

    /// Any other error of the database or of Diesel.
    ///
    /// If the server raised it, the transaction is aborted.
    #[error("the statement failed")]
    Query(#[source] DieselError),
}

impl LockError {
    /// Running the whole transaction again can succeed without anything else being done:
    /// [`Deadlock`](Self::Deadlock), [`Serialization`](Self::Serialization) and [`Moved`](Self::Moved).
    ///
    /// A [`Contended`](Self::Contended) or [`TimedOut`](Self::TimedOut) call can be tried again too, but the caller has
    /// said that it would rather not wait. See [`is_contended`](Self::is_contended).
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            LockError::GaveUp { .. } => !std::ptr::eq(self.last(), self) && self.last().is_retryable(),
            LockError::Deadlock { .. } | LockError::Serialization { .. } | LockError::Moved { .. } => true,
            _ => false,
        }
    }

    /// Somebody else holds what was asked for: [`Contended`](Self::Contended) and [`TimedOut`](Self::TimedOut).
    #[must_use]
    pub fn is_contended(&self) -> bool {
        match self {
            LockError::GaveUp { .. } => !std::ptr::eq(self.last(), self) && self.last().is_contended(),
            LockError::Contended { .. } | LockError::TimedOut { .. } => true,
            _ => false,
        }
    }

    /// The server has given the transaction up: every further statement fails until it, or the savepoint that the call was
    /// made in, is rolled back.
    #[must_use]
    pub fn transaction_is_lost(&self) -> bool {
        match self {
            LockError::ReadOnly(_) | LockError::ConnectionLost(_) => true,
            LockError::Contended { source, .. } => source.is_some(),
            LockError::TimedOut { attempt, source } => source.is_some() && !undone(attempt.as_deref()),
            LockError::Deadlock { attempt, .. }
            | LockError::Serialization { attempt, .. }
            | LockError::Canceled { attempt, .. } => !undone(attempt.as_deref()),
            LockError::Query(error) => matches!(error, DieselError::DatabaseError(..)),
            LockError::GaveUp { nested, .. } => {
                *nested && !std::ptr::eq(self.last(), self) && self.last().transaction_is_lost()
            }
            LockError::NotInTransaction
            | LockError::Missing { .. }
            | LockError::NotInSet { .. }
            | LockError::Unsupported { .. }
            | LockError::OutOfOrder { .. }
            | LockError::Aborted
            | LockError::Moved { .. } => false,
        }
    }

    /// A clause that folds rows together.
    pub(crate) fn folded(clause: &'static str) -> Self {
        let advice = "its rows are not rows of a table; leave the clause out, or lock what the query chooses with \
                      `LockSet::new().query::<T>(query)`";
        LockError::Unsupported { clause, advice }
    }

    /// More keys than MySQL and MariaDB can be asked to sort at once.
    pub(crate) fn too_many_keys() -> Self {
        let advice = "only the server knows the order of such keys, and a statement holds 65,535 values: lock them in several \
                      transactions";
        LockError::Unsupported { clause: "so many keys that are not integers", advice }
    }

    /// A table whose name would end a comment.
    pub(crate) fn comment_in_a_name() -> Self {
        let advice = "MariaDB would take the name for a part of a comment; lock its rows with a `LockSet`";
        LockError::Unsupported { clause: "`/*` or `*/` in the name of its table", advice }
    }

    pub(crate) fn is_retryable_below(error: &DieselError) -> bool {
        classify::is_retryable(error)
    }

    /// Of a [`GaveUp`](Self::GaveUp), the `LockError` that is its last error or lies beneath it; any other error as it is.
    #[must_use]
    pub fn last(&self) -> &LockError {
        let LockError::GaveUp { source, .. } = self else { return self };
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
    /// Unlike `From`, which has to class the errors of any statement, it believes the server's words about lock timeouts
    /// and `NOWAIT`. Do not use it for statements that run procedures: those can raise any words.
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

/// Finds the class of the error, so that `?` on any Diesel call inside a closure that returns [`LockError`] keeps it.
///
/// Classes that only the server's words tell, and that any stored procedure could say as well, are not believed here: see
/// [`LockError::of_locking_statement`].
impl From<DieselError> for LockError {
    fn from(error: DieselError) -> Self {
        classify::any_statement(error)
    }
}

/// For closures that return Diesel's error: the Diesel error underneath, if there is one.
///
/// The others travel as [`QueryBuilderError`](DieselError::QueryBuilderError) and come out whole when turned into a
/// [`LockError`] again.
impl From<LockError> for DieselError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::ReadOnly(error)
            | LockError::Deadlock { source: error, .. }
            | LockError::Serialization { source: error, .. }
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
