//! The type-erased interface to a model of one table.
//!
//! Only this module knows the type of a row and of its key. The rest of a set works with row numbers, [`RowId`], which this module assigns.

mod finished;
mod found_rows;
mod keys;
mod rows;
mod text;

use std::any::Any;

use diesel::{
    Selectable,
    backend::Backend,
    deserialize::{self, FromSqlRow, StaticallySizedRow},
    expression::Expression,
    query_builder::{QueryFragment, QueryId},
    query_source::Table,
};

pub(crate) use self::found_rows::FoundRows;
pub use self::{finished::ErasedRows, keys::Keys, rows::Answer, text::ModelText};
use self::{rows::RowsOf, text::TextOf};
use super::{
    key_list::{KeyList, Rank},
    table_name::TableName,
};
use crate::{diesel_internals::RowRef, error::RowName, lockable::Lockable};

/// The number of a row within one model of a set. Received rows have one, and so have rows that were requested by key.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub(crate) u32);

/// One model of one table, with its type erased.
#[doc(hidden)]
pub trait Model<DB: Backend>: Send {
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn text(&self) -> &dyn ModelText<DB>;
    fn rows(&self) -> &dyn ModelRows<DB>;

    /// Returns the text, which statements are written from, and the rows, which a row sink writes to.
    fn sides(&mut self) -> (&dyn ModelText<DB>, &mut dyn ModelRows<DB>);

    /// Builds the typed rows that the answer names, and erases their type.
    fn answer(self: Box<Self>, answer: Answer, table: &TableName) -> ErasedRows;
}

/// The requested keys and the received rows of a model.
///
/// Rows are numbered without a look-up as long as no row has to be found by its key: a set by keys alone then computes no hash. From the
/// first call of [`number_asked`](Self::number_asked) or [`number`](Self::number) on, keys that are equal in Rust share one number.
#[doc(hidden)]
pub trait ModelRows<DB: Backend>: Send {
    /// Reads a row and keeps it. Once rows have numbers by key, it replaces an earlier reading of the same row.
    fn read(&mut self, row: &RowRef<'_, DB>) -> deserialize::Result<RowId>;

    /// Reads a row, returns its number, and does not keep the row.
    fn number(&mut self, row: &RowRef<'_, DB>) -> deserialize::Result<RowId>;

    /// Returns the number of requested keys, duplicates included.
    fn asked(&self) -> usize;

    /// Returns whether the received rows are the requested ones, one for each key, in the order of the request. It compares them in pairs,
    /// without a look-up.
    fn came_as_asked(&self) -> bool;

    /// Returns the numbers of the requested keys, each once, in the order of the request.
    fn number_asked(&mut self) -> Vec<RowId>;

    /// Returns the requested keys, duplicates included.
    fn asked_keys(&self) -> Box<dyn Keys<DB>>;

    /// Returns the requested keys at these positions.
    fn asked_keys_at(&self, places: &[usize]) -> Box<dyn Keys<DB>>;

    /// Returns the keys of these rows.
    fn keys(&self, rows: &[RowId]) -> Box<dyn Keys<DB>>;

    /// Returns the ranks of the requested keys; see [`KeyList::ranks`].
    fn asked_ranks(&self) -> Option<Vec<Rank>>;

    /// Returns the ranks of the keys of these rows.
    fn ranks(&self, rows: &[RowId]) -> Option<Vec<Rank>>;

    /// Returns the order in which the keys of these rows follow each other.
    fn sequence(&self, rows: &[RowId]) -> Sequence;

    /// Sorts rows by their keys, if Rust knows the order.
    fn sort(&self, rows: &mut [RowId]);

    /// Returns whether keys that differ in Rust are certain to differ on the server too.
    fn is_exact(&self) -> bool;

    fn names(&self, rows: &[RowId], table: &TableName) -> Vec<RowName>;

    /// Returns the names of the rows that were requested by key, duplicates included.
    fn asked_names(&self, table: &TableName) -> Vec<RowName>;
}

/// The order in which the keys of a list of rows follow each other.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequence {
    /// Each key is greater than the one before it.
    Ascending,
    /// A key is less than the one before it.
    Disordered,
    /// Each key differs from the one before it; only the server knows the order.
    Unknown,
    /// A key is equal to the one before it.
    Repeated,
}

pub(super) struct ModelOf<T, DB, ST>
where
    DB: Backend,
    T: Lockable + Selectable<DB>,
    T::KeyColumns: KeyList<DB, T::Key>,
{
    text: TextOf<T, DB>,
    rows: RowsOf<T, ST>,
}

impl<T, DB, ST> ModelOf<T, DB, ST>
where
    DB: Backend,
    T: Lockable + Selectable<DB>,
    T::KeyColumns: KeyList<DB, T::Key>,
{
    pub(super) fn new() -> Self {
        ModelOf { text: TextOf::new(), rows: RowsOf::default() }
    }

    /// Adds requested keys.
    pub(super) fn ask(&mut self, keys: impl Iterator<Item = T::Key>) {
        self.rows.ask(keys);
    }
}

impl<T, DB, ST> Model<DB> for ModelOf<T, DB, ST>
where
    DB: Backend<QueryBuilder: Default> + Default + 'static,
    T: Lockable + Selectable<DB> + FromSqlRow<ST, DB> + StaticallySizedRow<ST, DB>,
    T::SelectExpression: Expression<SqlType = ST> + QueryFragment<DB> + QueryId + Send + 'static,
    T::Table: QueryFragment<DB>,
    <T::Table as Table>::PrimaryKey: QueryFragment<DB> + Send + 'static,
    <T::Table as Table>::AllColumns: QueryFragment<DB>,
    T::KeyColumns: KeyList<DB, T::Key, Columns: 'static>,
    ST: 'static,
{
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn text(&self) -> &dyn ModelText<DB> {
        &self.text
    }

    fn rows(&self) -> &dyn ModelRows<DB> {
        &self.rows
    }

    fn sides(&mut self) -> (&dyn ModelText<DB>, &mut dyn ModelRows<DB>) {
        (&self.text, &mut self.rows)
    }

    fn answer(self: Box<Self>, answer: Answer, table: &TableName) -> ErasedRows {
        ErasedRows::new(self.rows.answer(answer), table)
    }
}
