//! A connection as the core sees it.

use std::{future::Future, num::NonZeroU32, time::Duration};

use diesel::{
    connection::TransactionManagerStatus,
    result::{Error as DieselError, QueryResult},
};

use crate::{
    backend::{LockingBackend, Sink},
    diesel_internals::{self, Statement},
    error::is_connection_lost,
};

/// Sends statements over a connection and awaits their answers.
///
/// A driver whose calls block has futures that are ready at once. The futures are not said to be `Send` here: a connection that blocks need
/// not be, and that of another driver shows where a face promises it.
pub(crate) trait Driver {
    type DB: LockingBackend;

    /// Sends a statement and has its rows read, as they come.
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

    /// Begins a transaction, or sets a savepoint in the open one. As [`commit`](Self::commit) and [`rollback`](Self::rollback), it leaves the
    /// connection marked as broken if it does not come to its end: if it panics, or if its future is dropped.
    fn begin(&mut self) -> impl Future<Output = QueryResult<()>>;
    fn commit(&mut self) -> impl Future<Output = QueryResult<()>>;
    fn rollback(&mut self) -> impl Future<Output = QueryResult<()>>;

    /// Waits, without sending anything.
    fn sleep(&mut self, pause: Duration) -> impl Future<Output = ()>;

    /// What Diesel knows of the transaction.
    fn status(&mut self) -> &mut TransactionManagerStatus;

    /// Whether the connection notes down what the server says of the transaction; see [`diesel_internals::tells_of_aborts`].
    fn tells_of_aborts(&self) -> bool;

    /// How many transactions are open, savepoints included; `None` in autocommit.
    fn depth(&mut self) -> QueryResult<Option<NonZeroU32>> {
        diesel_internals::transaction_depth(self.status())
    }

    /// Whether errors must be noted for the connection: those that abort the transaction, of which the connection does not tell.
    fn needs_notes(&self) -> bool {
        Self::DB::IMPLICIT_ROLLBACK.is_none() && !self.tells_of_aborts()
    }

    /// Looks at the answer to a statement of ours, and notes that it has aborted the transaction.
    fn note<T>(&mut self, answer: &QueryResult<T>) {
        let Err(error @ DieselError::DatabaseError(..)) = answer else { return };
        if self.needs_notes() && !is_connection_lost(error) {
            diesel_internals::mark_aborted(self.status());
        }
    }

    /// Forgets a note: the server takes statements again.
    fn forget_note(&mut self) {
        if self.needs_notes() {
            diesel_internals::unmark_aborted(self.status());
        }
    }

    /// Whether the server has given the transaction up, as far as the connection tells and notes say.
    fn is_aborted(&mut self) -> bool {
        diesel_internals::is_aborted(self.status())
    }
}
