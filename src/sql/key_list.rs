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
