//! The driver trait: all that the core needs of a connection.

use std::{future::Future, num::NonZeroU32, time::Duration};

use diesel::{
    connection::{Instrumentation, TransactionManagerStatus},
    result::{Error as DieselError, QueryResult},
};

use crate::{
    backend::{CommitBy, LockingBackend, Sink},
    diesel_internals::{self, Statement},
    error::is_connection_lost,
};

/// Sends statements over a connection and awaits their answers.
///
/// The futures of a blocking driver are ready at once. The trait does not require `Send` futures, since a blocking connection need not be
/// `Send`. The asynchronous verbs require it, and the compiler checks it there.
pub(crate) trait Driver {
    type DB: LockingBackend;

    /// Sends a statement and passes its rows to the sink, one by one.
    ///
    /// The sink is a trait object: futures that are generic over a closure are not seen to be `Send` ([rust-lang/rust#100013][issue]).
    ///
    /// [issue]: https://github.com/rust-lang/rust/issues/100013
    fn rows<'a>(
        &'a mut self,
        statement: Statement<'a, Self::DB>,
        sink: Sink<'a, Self::DB>,
    ) -> impl Future<Output = QueryResult<()>>;

    /// Sends a statement, and returns how many rows it changed.
    fn execute<'a>(&'a mut self, statement: Statement<'a, Self::DB>) -> impl Future<Output = QueryResult<usize>>;

    /// Sends statements without values, as they are.
    fn batch(&mut self, statements: &str) -> impl Future<Output = QueryResult<()>>;

    /// Begins a transaction, or sets a savepoint in the open one.
    ///
    /// If this call, [`commit`](Self::commit) or [`rollback`](Self::rollback) panics, or its future is dropped, the connection is left marked
    /// as broken.
    fn begin(&mut self) -> impl Future<Output = QueryResult<()>>;
    fn commit(&mut self) -> impl Future<Output = QueryResult<()>>;
    fn rollback(&mut self) -> impl Future<Output = QueryResult<()>>;

    /// Sends a statement without values that controls a transaction.
    fn control(&mut self, text: &'static str) -> impl Future<Output = QueryResult<()>>;

    /// Returns whether a transaction can be ended by another statement than that of the transaction manager.
    fn commits_by(&self) -> bool;

    /// Commits the outermost transaction by this statement, if it [can be](Self::commits_by), else as [`commit`](Self::commit). Where the
    /// connection does not report the state of a transaction, the statement may also release the innermost savepoint.
    fn commit_by(&mut self, by: CommitBy) -> impl Future<Output = QueryResult<()>>;

    /// Waits, without sending anything.
    fn sleep(&mut self, pause: Duration) -> impl Future<Output = ()>;

    /// Tells the session to end if the connection is marked as broken and an answer may be under way that nobody waits for: the future of a
    /// call over it was dropped. Nothing may be awaited over it any more, since the answer may wait for a lock. Returns whether that is so.
    fn gives_up(&mut self) -> bool;

    /// Returns Diesel's record of the transaction.
    fn status(&mut self) -> &mut TransactionManagerStatus;

    /// Returns the connection's instrumentation.
    #[allow(dead_code, reason = "of one feature only")]
    fn instrumentation(&mut self) -> &mut dyn Instrumentation;

    /// Returns whether the connection records the transaction status that the server reports; see [`diesel_internals::tells_of_aborts`].
    fn tells_of_aborts(&self) -> bool;

    /// Returns the number of open transactions, savepoints included; `None` in autocommit.
    fn depth(&mut self) -> QueryResult<Option<NonZeroU32>> {
        diesel_internals::transaction_depth(self.status())
    }

    /// Returns whether the core must record errors that abort the transaction, since the connection does not.
    fn needs_notes(&self) -> bool {
        Self::DB::ERRORS_ABORT && !self.tells_of_aborts()
    }

    /// Records that the error of a statement of the crate has aborted the transaction.
    fn note<T>(&mut self, answer: &QueryResult<T>) {
        let Err(error @ DieselError::DatabaseError(..)) = answer else { return };
        if self.needs_notes() && !is_connection_lost(error) {
            diesel_internals::mark_aborted(self.status());
        }
    }

    /// Removes the record, when the server takes statements again.
    fn forget_note(&mut self) {
        if self.needs_notes() {
            diesel_internals::unmark_aborted(self.status());
        }
    }

    /// Returns whether the server has aborted the transaction, as far as the connection or the core has recorded it.
    fn is_aborted(&mut self) -> bool {
        diesel_internals::is_aborted(self.status())
    }
}
