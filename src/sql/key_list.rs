//! How a backend writes down many keys at once; one implementation per backend, in its tongue.

use std::cmp::Ordering;

use diesel::{backend::Backend, query_builder::AstPass, result::QueryResult};

/// The key columns of a model, seen by a backend that has to name many keys `K` in one statement.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "keys of type `{K}` cannot be sent to `{DB}` for the columns `{Self}`",
    note = "every key field must be what Diesel stores in its column: `ToSql<the column's SQL type, {DB}>`",
    note = "a key has at most 8 columns"
)]
pub trait KeyList<DB: Backend, K> {
    /// The keys column by column, where the backend wants them so; nothing where it takes them as they are.
    type Columns: Send;

    /// How many columns a key has.
    const WIDTH: usize;

    /// Turns rows of keys into columns.
    fn columns(keys: &[K]) -> Self::Columns;

    /// Writes the keys as a table expression of `WIDTH` columns.
    fn walk<'b>(keys: &'b [K], columns: &'b Self::Columns, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Writes the keys as the right side of a condition whose left side is the key: `= ANY(..)`, `IN (..)`.
    fn walk_in<'b>(keys: &'b [K], columns: &'b Self::Columns, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// As [`walk_in`](Self::walk_in), for a value that each row of a statement shows: in a time that does not grow with the number of
    /// keys, whatever the settings of the server.
    fn walk_in_hashed<'b>(keys: &'b [K], columns: &'b Self::Columns, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        Self::walk_in(keys, columns, pass)
    }

    /// Writes ` UNION ALL SELECT key, number` for each key, where there are no arrays.
    fn walk_numbered<'b>(
        keys: &'b [K],
        columns: &'b Self::Columns,
        first: usize,
        pass: AstPass<'_, 'b, DB>,
    ) -> QueryResult<()> {
        let _ = (keys, columns, first, pass);
        Ok(())
    }

    /// Whether two keys that Rust tells apart are certainly two to the server as well.
    fn is_exact() -> bool {
        true
    }

    /// How the server orders two keys; nothing if only the server knows, which is the same for all keys of the type.
    fn compare(one: &K, other: &K) -> Option<Ordering> {
        let _ = (one, other);
        None
    }

    /// The keys in a form that Rust orders as the server orders the keys; nothing if only the server knows how, or if the
    /// backend orders by itself.
    fn ranks(keys: &[K]) -> Option<Vec<Rank>> {
        let _ = keys;
        None
    }
}

/// A key that Rust can compare, column by column.
pub type Rank = Vec<i128>;

/// The lists of keys that a statement may name.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// What the user asked for by key.
    Asked,
    /// What a limited query chose in place of a row that left.
    More,
    /// Locked by this set, wanted or not.
    Held,
    /// Held and wanted, whatever a query says now.
    Firm,
    /// Held, but a query that chose it must be asked again, for it changed in between.
    Doubtful,
    /// What the statement is about, where keys go into many statements.
    Now,
    /// Those of [`Now`](Self::Now) that were asked for by key.
    NowAsked,
}

/// A list of keys, ready to be written.
pub(crate) struct Keys<K, Columns> {
    keys: Vec<K>,
    columns: Columns,
}

impl<K, Columns> Keys<K, Columns> {
    pub(crate) fn new<DB, C>(keys: Vec<K>) -> Self
    where
        DB: Backend,
        C: KeyList<DB, K, Columns = Columns>,
    {
        Keys { columns: C::columns(&keys), keys }
    }

    pub(crate) fn walk<'b, DB, C>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: Backend,
        C: KeyList<DB, K, Columns = Columns>,
    {
        C::walk(&self.keys, &self.columns, pass)
    }

    pub(crate) fn walk_in<'b, DB, C>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: Backend,
        C: KeyList<DB, K, Columns = Columns>,
    {
        C::walk_in(&self.keys, &self.columns, pass)
    }

    pub(crate) fn walk_in_hashed<'b, DB, C>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: Backend,
        C: KeyList<DB, K, Columns = Columns>,
    {
        C::walk_in_hashed(&self.keys, &self.columns, pass)
    }

    pub(crate) fn walk_numbered<'b, DB, C>(&'b self, first: usize, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: Backend,
        C: KeyList<DB, K, Columns = Columns>,
    {
        C::walk_numbered(&self.keys, &self.columns, first, pass)
    }

    pub(crate) fn as_slice(&self) -> &[K] {
        &self.keys
    }
}
