//! What a set needs of a backend. Each backend says it in its own file, and only there is a backend named.

mod advisory;
#[cfg(feature = "postgres")]
mod pg;

use std::time::Duration;

use diesel::{
    backend::Backend, deserialize, expression::QueryMetadata, query_builder::QueryFragment, result::QueryResult,
    sql_types::Untyped,
};

pub use self::advisory::{AdvisoryCall, HasAdvisoryLocks, HasSharedAdvisoryLocks, HasTransactionAdvisoryLocks};
use crate::{
    diesel_internals::{RowRef, Statement},
    error::{Holder, Result, RowName},
    mode::{Isolation, Patience, Strength},
    sql::{Choice, Columns, Finished, PartInSet, TableName, Wanted},
};

/// A backend whose rows can be locked.
///
/// PostgreSQL is one, with the feature `postgres`. There is nothing to implement by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a backend whose rows can be locked",
    label = "no row locks here",
    note = "enable the feature of the backend in Cargo.toml, for example `diesel_lockset = {{ features = [\"postgres\"] }}`"
)]
pub trait LockingBackend: Backend<QueryBuilder: Default> + Default + QueryMetadata<Untyped> + Send + 'static {
    /// The conversation that locks one table's part of a set.
    #[doc(hidden)]
    type Table<'a>: TableDialogue<Self>;

    #[doc(hidden)]
    fn table<'a>(
        name: TableName,
        parts: Vec<PartInSet<'a, Self>>,
        strength: Strength,
        patience: Patience,
    ) -> QueryResult<Self::Table<'a>>;

    /// What bounds a call in time.
    #[doc(hidden)]
    type Clock: Clock<Self>;

    /// Locks what a single query wants, as far as it can be had at once, and asks for the keys of the rest.
    #[doc(hidden)]
    fn busy_rows<'q>(
        query: &'q dyn Choice<Self>,
        key: &'q dyn QueryFragment<Self>,
        table: &'q TableName,
        strength: Strength,
    ) -> Statement<'q, Self>;

    /// Reads a row of its answer.
    #[doc(hidden)]
    fn busy_key(row: &RowRef<'_, Self>) -> deserialize::Result<String>;

    /// Locks and loads the first free rows of a query, in its order.
    #[doc(hidden)]
    fn pick<'q>(query: &'q dyn Choice<Self>, columns: Columns<'q, Self>, pick: Picking<'q>) -> Statement<'q, Self>;

    /// Locks, changes and loads the first free rows of a query; behind the columns of each stands its place in the order.
    #[doc(hidden)]
    fn claim<'q>(
        query: &'q dyn Choice<Self>,
        wanted: &'q dyn Wanted<Self>,
        changes: &'q dyn QueryFragment<Self>,
        pick: Picking<'q>,
    ) -> Statement<'q, Self>;

    /// Reads that place.
    #[doc(hidden)]
    fn place(row: &RowRef<'_, Self>, column: usize) -> deserialize::Result<i64>;

    /// Chooses the isolation level of a transaction that has just begun.
    #[doc(hidden)]
    fn isolation(level: Isolation) -> Statement<'static, Self>;
}

/// How many rows to pick, from which table of a query, how strongly.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Picking<'q> {
    pub(crate) table: &'q TableName,
    pub(crate) strength: Strength,
    pub(crate) limit: &'q i64,
}

/// A backend with locks that others may share.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no shared row locks",
    note = "`for_share` and `for_share_of` exist on PostgreSQL"
)]
pub trait HasShareLocks: LockingBackend {}

/// A backend that tells locks on a row from locks on its key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not tell a lock on a row from a lock on its key",
    note = "`for_no_key_update` and `for_key_share` exist on PostgreSQL only; use `for_update` or `for_share`"
)]
pub trait HasKeyLocks: LockingBackend {}

/// One table's part of a set as a conversation: what to send next, and what its rows mean.
///
/// It decides everything and sends nothing, so that a blocking and an async shell can share it.
#[doc(hidden)]
pub trait TableDialogue<DB: Backend>: Sized {
    /// The next statement and who reads its rows; nothing when the rows are locked.
    fn exchange(&mut self) -> Option<Exchange<'_, DB>>;

    /// All rows of the last statement were read.
    fn end_of_rows(&mut self) -> Result<()>;

    /// The rows, model by model.
    fn finish(self) -> Vec<Finished>;

    /// Whether there is nothing more to send.
    fn is_done(&self) -> bool;

    /// The table, as SQL names it.
    fn name(&self) -> &TableName;

    /// The rows that were asked for by key.
    fn asked(&self) -> Vec<RowName>;

    /// A question after a failure: who holds what this table's part of the set wants?
    fn holders(&self) -> Statement<'_, DB>;

    /// Reads a row of its answer.
    fn holder(row: &RowRef<'_, DB>) -> deserialize::Result<Holder>;
}

/// Bounds the statements of one call in time, by a setting of the server that it puts back afterwards.
#[doc(hidden)]
pub trait Clock<DB: Backend>: Default {
    /// Gives the statements that follow so much time. To be sent before each of them.
    fn limit(&mut self, left: Duration) -> Exchange<'_, DB>;

    /// Puts the setting back, if it was changed. To be sent at the end, unless the transaction is aborted: then a rollback
    /// does it.
    fn restore(&mut self) -> Option<Statement<'_, DB>>;
}

/// A statement and the reader of its rows.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct Exchange<'e, DB: Backend> {
    pub(crate) statement: Statement<'e, DB>,
    pub(crate) reader: Box<dyn Reader<DB> + Send + 'e>,
}

/// Takes the rows of one statement.
#[doc(hidden)]
pub trait Reader<DB: Backend> {
    fn row(&mut self, row: &RowRef<'_, DB>) -> deserialize::Result<()>;
}
