//! What a set needs of a backend. Each backend says it in its own file, and only there is a backend named.

#[cfg(feature = "postgres")]
mod pg;

use diesel::{backend::Backend, deserialize, expression::QueryMetadata, result::QueryResult, sql_types::Untyped};

use crate::{
    diesel_internals::{RowRef, Statement},
    error::Result,
    mode::Strength,
    sql::{Finished, PartInSet, TableName},
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
    fn table<'a>(name: TableName, parts: Vec<PartInSet<'a, Self>>, strength: Strength) -> QueryResult<Self::Table<'a>>;
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
