//! The trait `KeyList`, which writes the keys of a model into a statement. Each backend implements it in its own dialect.

use std::cmp::Ordering;

use diesel::{backend::Backend, query_builder::AstPass, result::QueryResult};

/// The key columns of a model, as a type through which a backend writes many keys `K` into one statement.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "keys of type `{K}` cannot be sent to `{DB}` for the columns `{Self}`",
    note = "every key field must be what Diesel stores in its column: `ToSql<the column's SQL type, {DB}>`",
    note = "a key has at most 8 columns"
)]
pub trait KeyList<DB: Backend, K> {
    /// The data that a backend needs beside the keys to write them: on PostgreSQL the columns that give the types, and the keys of a
    /// composite key column by column; on MySQL and MariaDB nothing.
    type Columns: Send;

    /// The number of key columns.
    const WIDTH: usize;

    /// Builds the [`Columns`](Self::Columns) of a list of keys.
    fn columns(keys: &[K]) -> Self::Columns;

    /// Writes the keys: on PostgreSQL as a `SELECT` of `WIDTH` columns, on MySQL and MariaDB as a list of values.
    fn walk<'b>(keys: &'b [K], columns: &'b Self::Columns, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Writes the keys as the right side of a condition whose left side is the key: `= ANY(..)`, `IN (..)`.
    fn walk_in<'b>(keys: &'b [K], columns: &'b Self::Columns, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Writes the same as [`walk_in`](Self::walk_in) for a list of one key. The text is another one where that makes the statement faster.
    fn walk_only<'b>(keys: &'b [K], columns: &'b Self::Columns, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        Self::walk_in(keys, columns, pass)
    }

    /// Writes the same as [`walk_in`](Self::walk_in), for a condition that is evaluated for each row of a statement. The time for one row
    /// does not grow with the number of keys, whatever the settings of the server.
    fn walk_in_hashed<'b>(keys: &'b [K], columns: &'b Self::Columns, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        Self::walk_in(keys, columns, pass)
    }

    /// Writes ` UNION ALL SELECT key, number` for each key, numbered from `first` on. Only a backend without arrays implements it.
    fn walk_numbered<'b>(
        keys: &'b [K],
        columns: &'b Self::Columns,
        first: usize,
        pass: AstPass<'_, 'b, DB>,
    ) -> QueryResult<()> {
        let _ = (keys, columns, first, pass);
        Ok(())
    }

    /// Returns whether keys that differ in Rust are certain to differ on the server too.
    fn is_exact() -> bool {
        true
    }

    /// Compares two keys in the order of the server; `None` if only the server knows the order, which depends on the type and not on the
    /// keys.
    fn compare(one: &K, other: &K) -> Option<Ordering> {
        let _ = (one, other);
        None
    }

    /// Returns the keys in a form that Rust orders as the server orders the keys; `None` if only the server knows the order, or on a
    /// backend that needs no ranks.
    fn ranks(keys: &[K]) -> Option<Vec<Rank>> {
        let _ = keys;
        None
    }
}

/// A key as integers, which Rust compares as the server compares the key. The keys of one table all have the same number of columns.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The key is one column.
    One(i128),
    /// The key is several columns.
    Several(Vec<i128>),
}

/// Returns the keys, filled up to a power of two with the last one, so that lists of keys have few texts.
#[allow(dead_code, reason = "of backends without arrays only")]
pub(crate) fn filled<K>(keys: &[K]) -> impl Iterator<Item = &K> {
    let more = keys.len().next_power_of_two() - keys.len();
    keys.iter().chain(keys.last().into_iter().cycle().take(more))
}
