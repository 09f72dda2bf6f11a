//! Lists of keys, their type forgotten.

use std::{fmt, marker::PhantomData, sync::Arc};

use diesel::{backend::Backend, query_builder::AstPass, result::QueryResult};

use crate::sql::KeyList;

/// A list of keys, to be written where a statement wants it.
#[doc(hidden)]
pub trait Keys<DB: Backend>: Send + fmt::Debug {
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether Rust knows the order of such keys.
    fn has_order(&self) -> bool;

    /// Writes the keys as a table expression; see [`KeyList::walk`].
    fn walk<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Writes them as the right side of a condition on the key.
    fn walk_in<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// The same, for a value that each row shows.
    fn walk_in_hashed<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Writes them as rows behind another `SELECT`, numbered from `first` on.
    fn walk_numbered<'b>(&'b self, first: usize, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;
}

/// Keys, and their columns where the backend wants them so.
pub(super) struct KeysOf<C, K, Columns> {
    keys: Arc<Vec<K>>,
    columns: Columns,
    marker: PhantomData<fn() -> C>,
}

impl<C, K, Columns> KeysOf<C, K, Columns> {
    pub(super) fn boxed<DB>(keys: Arc<Vec<K>>) -> Box<dyn Keys<DB>>
    where
        DB: Backend + 'static,
        C: KeyList<DB, K, Columns = Columns> + 'static,
        K: Send + Sync + 'static,
        Columns: Send + 'static,
    {
        Box::new(KeysOf::<C, K, Columns> { columns: C::columns(&keys), keys, marker: PhantomData })
    }
}

impl<C, K, Columns> fmt::Debug for KeysOf<C, K, Columns> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.keys.len())
    }
}

impl<DB, C, K, Columns> Keys<DB> for KeysOf<C, K, Columns>
where
    DB: Backend,
    C: KeyList<DB, K, Columns = Columns>,
    K: Send + Sync,
    Columns: Send,
{
    fn len(&self) -> usize {
        self.keys.len()
    }

    fn has_order(&self) -> bool {
        self.keys.first().is_none_or(|key| C::compare(key, key).is_some())
    }

    fn walk<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        C::walk(&self.keys, &self.columns, pass)
    }

    fn walk_in<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        C::walk_in(&self.keys, &self.columns, pass)
    }

    fn walk_in_hashed<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        C::walk_in_hashed(&self.keys, &self.columns, pass)
    }

    fn walk_numbered<'b>(&'b self, first: usize, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        C::walk_numbered(&self.keys, &self.columns, first, pass)
    }
}
