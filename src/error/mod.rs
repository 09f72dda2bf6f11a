//! What can go wrong, by what the caller does next.

mod classify;
mod row_name;

use std::fmt;

use diesel::result::Error as DieselError;

pub use self::row_name::RowName;
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
    #[error("{} not exist: deleted since it was loaded, or never there", Listed(.rows, "does", "do"))]
    Missing {
        /// Every missing row of the set, by model in the order of tables, then in the order of adding.
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

    /// The transaction, or the server, is read-only, and there a row cannot be locked.
    ///
    /// No row was locked. The transaction is aborted.
    #[error("rows cannot be locked in a read-only transaction: open it for writing, on a server that takes writes")]
    ReadOnly(#[source] DieselError),

    /// A boxed query has a clause that folds rows together, so its rows cannot be locked.
    ///
    /// No statement was sent; the transaction goes on. Leave the clause out, or lock by key what such a query chooses:
    /// [`LockSet::query`](crate::LockSet::query).
    #[error(
        "the rows of a query with {clause} are not rows of a table and cannot be locked: leave it out, or lock what the \
         query chooses with `LockSet::new().query::<T>(query)`"
    )]
    Unsupported {
        /// The clause.
        clause: &'static str,
    },

    /// Two sessions waited for each other and the server ended this one's statement.
    ///
    /// The transaction is aborted; nothing of it will be kept. Run all of it again. Two lock sets cannot get into this
    /// with each other: look for statements that lock in another order, before, beside or after the set.
    #[error("deadlock: this transaction was chosen to give way to another; run all of it again")]
    Deadlock(#[source] DieselError),

    /// Under REPEATABLE READ or SERIALIZABLE: a row changed after this transaction's snapshot was taken.
    ///
    /// The transaction is aborted. Run all of it again.
    #[error("serialization failure: another transaction changed what this one has seen; run all of it again")]
    Serialization(#[source] DieselError),

    /// A limited query had to choose another row, because one that it had chosen changed while the set waited for it, and
    /// the row that it chose instead is held by someone else and comes earlier in the order.
    ///
    /// Waiting for it could end in a deadlock. The transaction goes on and holds what it has locked; to get the rows, run
    /// all of it again.
    #[error(
        "the rows of `{table}` that a limited query chooses changed while the set waited, and the row it chooses now is \
         held by another transaction and comes before one that this transaction holds; waiting for it could end in a \
         deadlock: run the transaction again"
    )]
    Moved {
        /// The table, as SQL names it.
        table: String,
    },

    /// The connection to the server is gone, and with it the transaction and all of its locks.
    #[error("the connection to the server is lost, and with it the transaction and its locks")]
    ConnectionLost(#[source] DieselError),

    /// Any other error of the database or of Diesel.
    ///
    /// If the server raised it, the transaction is aborted.
    #[error("the database refused the statement")]
    Query(#[source] DieselError),
}

impl LockError {
    /// Running the whole transaction again can succeed: [`Deadlock`](Self::Deadlock),
    /// [`Serialization`](Self::Serialization) and [`Moved`](Self::Moved).
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, LockError::Deadlock(_) | LockError::Serialization(_) | LockError::Moved { .. })
    }

    /// The server has given the transaction up: every further statement fails until it, or the savepoint that the call was
    /// made in, is rolled back.
    #[must_use]
    pub fn transaction_is_lost(&self) -> bool {
        match self {
            LockError::ReadOnly(_)
            | LockError::Deadlock(_)
            | LockError::Serialization(_)
            | LockError::ConnectionLost(_) => true,
            LockError::Query(error) => matches!(error, DieselError::DatabaseError(..)),
            LockError::NotInTransaction
            | LockError::Missing { .. }
            | LockError::NotInSet { .. }
            | LockError::Unsupported { .. }
            | LockError::Moved { .. } => false,
        }
    }
}

/// Finds the class of the error, so that `?` on any Diesel call inside a closure that returns [`LockError`] keeps it.
impl From<DieselError> for LockError {
    fn from(error: DieselError) -> Self {
        classify::classify(error)
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
            | LockError::Deadlock(error)
            | LockError::Serialization(error)
            | LockError::ConnectionLost(error)
            | LockError::Query(error) => error,
            error => DieselError::QueryBuilderError(Box::new(error)),
        }
    }
}

/// "Account 3 does", "Account 3, Account 4 and Order 7 do"; a long list is cut.
struct Listed<'a>(&'a [RowName], &'static str, &'static str);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        let Listed(rows, one, many) = *self;
        let shown = rows.len().min(SHOWN);
        for (i, row) in rows[..shown].iter().enumerate() {
            let separator = match i {
                0 => "",
                i if i + 1 == rows.len() => " and ",
                _ => ", ",
            };
            write!(f, "{separator}{row}")?;
        }
        if rows.len() > shown {
            write!(f, " and {} more", rows.len() - shown)?;
        }
        write!(f, " {}", if rows.len() == 1 { one } else { many })
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
        assert!(size_of::<LockError>() <= 72, "{}", size_of::<LockError>());
    }
}
