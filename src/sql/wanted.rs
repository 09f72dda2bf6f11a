//! The side of a part that statements are written from: the model's table, its key, its columns, lists of keys.

use std::any::TypeId;

use diesel::{Selectable, backend::Backend, query_builder::AstPass, result::QueryResult};

use super::{
    key_list::{KeyList, Keys, List},
    model::{ModelText, TextOf},
    table_name::TableName,
};
use crate::lockable::Lockable;

/// The side of a part that statements are written from.
#[doc(hidden)]
pub trait Wanted<DB: Backend>: ModelText<DB> {
    fn has(&self, list: List) -> bool {
        self.count(list) > 0
    }

    /// How many keys are on the list.
    fn count(&self, list: List) -> usize;

    /// The list as a table expression.
    fn walk_list<'b>(&'b self, list: List, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// The list as the right side of a condition on the key.
    fn walk_in_list<'b>(&'b self, list: List, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// As [`walk_in_list`](Self::walk_in_list), for a value that each row shows.
    fn walk_in_hashed_list<'b>(&'b self, list: List, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// The list as numbered rows behind another `SELECT`.
    fn walk_numbered<'b>(&'b self, list: List, first: usize, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;
}

pub(super) struct WantedOf<T, DB>
where
    DB: Backend,
    T: Lockable + Selectable<DB>,
    T::KeyColumns: KeyList<DB, T::Key>,
{
    pub(super) text: TextOf<T, DB>,
    pub(super) asked: Vec<T::Key>,
    pub(super) lists: Option<Lists<KeysOf<T, DB>>>,
}

pub(super) type KeysOf<T, DB> =
    Keys<<T as Lockable>::Key, <<T as Lockable>::KeyColumns as KeyList<DB, <T as Lockable>::Key>>::Columns>;

pub(super) struct Lists<K> {
    pub(super) asked: K,
    pub(super) more: K,
    pub(super) held: K,
    pub(super) firm: K,
    pub(super) doubtful: K,
    pub(super) now: K,
    pub(super) now_asked: K,
}

impl<K> Lists<K> {
    fn get(&self, list: List) -> &K {
        match list {
            List::Asked => &self.asked,
            List::More => &self.more,
            List::Held => &self.held,
            List::Firm => &self.firm,
            List::Doubtful => &self.doubtful,
            List::Now => &self.now,
            List::NowAsked => &self.now_asked,
        }
    }
}

pub(super) fn keys<T, DB>(keys: Vec<T::Key>) -> KeysOf<T, DB>
where
    DB: Backend,
    T: Lockable,
    T::KeyColumns: KeyList<DB, T::Key>,
{
    Keys::new::<DB, T::KeyColumns>(keys)
}

impl<T, DB> ModelText<DB> for WantedOf<T, DB>
where
    DB: Backend<QueryBuilder: Default> + Default,
    T: Lockable + Selectable<DB>,
    TextOf<T, DB>: ModelText<DB>,
    T::KeyColumns: KeyList<DB, T::Key>,
{
    fn model_name(&self) -> &'static str {
        self.text.model_name()
    }

    fn table_name(&self) -> QueryResult<TableName> {
        self.text.table_name()
    }

    fn static_id(&self) -> Option<TypeId> {
        self.text.static_id()
    }

    fn width(&self) -> usize {
        self.text.width()
    }

    fn key_width(&self) -> usize {
        self.text.key_width()
    }

    fn walk_table<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.text.walk_table(pass)
    }

    fn walk_columns<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.text.walk_columns(pass)
    }

    fn walk_key<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.text.walk_key(pass)
    }

    fn all_columns(&self) -> QueryResult<String> {
        self.text.all_columns()
    }
}

impl<T, DB> Wanted<DB> for WantedOf<T, DB>
where
    DB: Backend<QueryBuilder: Default> + Default,
    T: Lockable + Selectable<DB>,
    TextOf<T, DB>: ModelText<DB>,
    T::KeyColumns: KeyList<DB, T::Key>,
{
    fn count(&self, list: List) -> usize {
        self.lists.as_ref().map_or(0, |lists| lists.get(list).as_slice().len())
    }

    fn walk_list<'b>(&'b self, list: List, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        match &self.lists {
            Some(lists) => lists.get(list).walk::<DB, T::KeyColumns>(pass),
            None => Ok(()),
        }
    }

    fn walk_in_list<'b>(&'b self, list: List, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        match &self.lists {
            Some(lists) => lists.get(list).walk_in::<DB, T::KeyColumns>(pass),
            None => Ok(()),
        }
    }

    fn walk_in_hashed_list<'b>(&'b self, list: List, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        match &self.lists {
            Some(lists) => lists.get(list).walk_in_hashed::<DB, T::KeyColumns>(pass),
            None => Ok(()),
        }
    }

    fn walk_numbered<'b>(&'b self, list: List, first: usize, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        match &self.lists {
            Some(lists) => lists.get(list).walk_numbered::<DB, T::KeyColumns>(first, pass),
            None => Ok(()),
        }
    }
}
