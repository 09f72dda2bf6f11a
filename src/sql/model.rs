//! A model of one table, with its type forgotten.
//!
//! Only this edge knows the type of a row and of its key. Everything that a set decides is about numbers of rows, which the edge gives:
//! [`RowId`].

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

/// The number of a row within one model of a set: of a row that came, or of one that was asked for by key.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub(crate) u32);

/// One model of one table.
#[doc(hidden)]
pub trait Model<DB: Backend>: Send {
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn text(&self) -> &dyn ModelText<DB>;
    fn rows(&self) -> &dyn ModelRows<DB>;

    /// What statements are written from, and what their rows are read into.
    fn sides(&mut self) -> (&dyn ModelText<DB>, &mut dyn ModelRows<DB>);

    /// The rows of the answer, typed again.
    fn answer(self: Box<Self>, answer: Answer, table: &TableName) -> ErasedRows;
}

/// The keys that were asked for, and the rows that came.
///
/// A number is given without a look-up as long as nobody asks which row a key names: the plain set pays for no hash. From the first
/// such question on ([`number_asked`](Self::number_asked), [`number`](Self::number)), keys that are equal to Rust have one number.
#[doc(hidden)]
pub trait ModelRows<DB: Backend>: Send {
    /// Reads a row and keeps it, in place of an older reading of the same row.
    fn read(&mut self, row: &RowRef<'_, DB>) -> deserialize::Result<RowId>;

    /// Reads the number of a row, and does not keep it.
    fn number(&mut self, row: &RowRef<'_, DB>) -> deserialize::Result<RowId>;

    /// How many keys were asked for, as often as they were.
    fn asked(&self) -> usize;

    /// Whether the rows are those that were asked for, one for each key in the order of asking. No key is looked up.
    fn came_as_asked(&self) -> bool;

    /// The numbers of the keys that were asked for, each once, in the order of asking.
    fn number_asked(&mut self) -> Vec<RowId>;

    /// The keys that were asked for, as often as they were.
    fn asked_keys(&self) -> Box<dyn Keys<DB>>;

    /// Those at these places.
    fn asked_keys_at(&self, places: &[usize]) -> Box<dyn Keys<DB>>;

    /// The keys of these rows.
    fn keys(&self, rows: &[RowId]) -> Box<dyn Keys<DB>>;

    /// The keys that were asked for in a form that Rust orders as the server orders the keys; nothing if only the server knows how.
    fn asked_ranks(&self) -> Option<Vec<Rank>>;

    /// The same of these rows.
    fn ranks(&self, rows: &[RowId]) -> Option<Vec<Rank>>;

    /// How the keys of these rows follow each other.
    fn sequence(&self, rows: &[RowId]) -> Sequence;

    /// Puts rows into the order of their keys, if Rust knows it.
    fn sort(&self, rows: &mut [RowId]);

    /// Whether two keys that Rust tells apart are certainly two to the server as well.
    fn is_exact(&self) -> bool;

    fn names(&self, rows: &[RowId], table: &TableName) -> Vec<RowName>;

    /// The names of the rows that were asked for by key, as often as they were.
    fn asked_names(&self, table: &TableName) -> Vec<RowName>;
}

/// How the keys of rows follow each other.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sequence {
    /// Each is greater than the one before.
    Ascending,
    /// One is less than the one before.
    Disordered,
    /// Each is another than the one before; only the server knows more.
    Unknown,
    /// One is that of the row before.
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

    /// Adds keys to those that are asked for.
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
