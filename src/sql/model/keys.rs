//! Lists of keys, with their type erased.

use std::{fmt, marker::PhantomData, sync::Arc};

use diesel::{backend::Backend, query_builder::AstPass, result::QueryResult};

use crate::sql::KeyList;

/// A list of keys that can be written into a statement.
#[doc(hidden)]
pub trait Keys<DB: Backend>: Send + fmt::Debug {
    fn len(&self) -> usize;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether Rust knows the order of these keys.
    fn has_order(&self) -> bool;

    /// Writes the keys; see [`KeyList::walk`].
    fn walk<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Writes the keys as the right side of a condition on the key; see [`KeyList::walk_in`].
    fn walk_in<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Writes the same for a list of one key; see [`KeyList::walk_only`].
    fn walk_only<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Writes the same for a condition that is evaluated for each row; see [`KeyList::walk_in_hashed`].
    fn walk_in_hashed<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Writes the keys as rows behind another `SELECT`, numbered from `first` on; see [`KeyList::walk_numbered`].
    fn walk_numbered<'b>(&'b self, first: usize, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;
}

/// A list of keys, with the data that the backend needs to write it; see [`KeyList::Columns`].
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

    fn walk_only<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        C::walk_only(&self.keys, &self.columns, pass)
    }

    fn walk_in_hashed<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        C::walk_in_hashed(&self.keys, &self.columns, pass)
    }

    fn walk_numbered<'b>(&'b self, first: usize, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        C::walk_numbered(&self.keys, &self.columns, first, pass)
    }
}
