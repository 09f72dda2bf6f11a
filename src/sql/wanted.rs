//! The side of a part that statements are written from: the model's table, its key, its columns, lists of keys.

use std::any::TypeId;

use diesel::{
    Selectable,
    backend::Backend,
    deserialize::StaticallySizedRow,
    expression::Expression,
    query_builder::{AstPass, QueryFragment, QueryId},
    query_source::Table,
    result::QueryResult,
};

use super::{
    key_list::{KeyList, Keys, List},
    table_name::TableName,
};
use crate::{diesel_internals::sql_of, lockable::Lockable};

/// The side of a part that statements are written from.
#[doc(hidden)]
pub trait Wanted<DB: Backend> {
    fn model_name(&self) -> &'static str;
    fn table_name(&self) -> QueryResult<TableName>;

    /// The model, if its type alone says what its columns are in SQL.
    fn static_id(&self) -> Option<TypeId>;

    /// How many columns the model takes of a row.
    fn width(&self) -> usize;

    /// How many columns a key has.
    fn key_width(&self) -> usize;

    fn walk_table<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;
    fn walk_columns<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;
    fn walk_key<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// All columns of `table!` as SQL, whether the model selects them or not.
    fn all_columns(&self) -> QueryResult<String>;

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
    pub(super) table: T::Table,
    pub(super) key: <T::Table as Table>::PrimaryKey,
    pub(super) columns: T::SelectExpression,
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

impl<T, DB> Wanted<DB> for WantedOf<T, DB>
where
    DB: Backend,
    T: Lockable + Selectable<DB>,
    T::SelectExpression: QueryFragment<DB> + QueryId,
    T::Table: QueryFragment<DB>,
    <T::Table as Table>::PrimaryKey: QueryFragment<DB>,
    <T::Table as Table>::AllColumns: QueryFragment<DB>,
    T::KeyColumns: KeyList<DB, T::Key>,
    T: SizedOn<DB>,
    DB: Default,
    DB::QueryBuilder: Default,
{
    fn model_name(&self) -> &'static str {
        T::TYPE_NAME
    }

    fn table_name(&self) -> QueryResult<TableName> {
        TableName::of::<DB>(&self.table)
    }

    fn static_id(&self) -> Option<TypeId> {
        T::SelectExpression::HAS_STATIC_QUERY_ID.then(TypeId::of::<T>)
    }

    fn width(&self) -> usize {
        T::WIDTH
    }

    fn key_width(&self) -> usize {
        <T::KeyColumns as KeyList<DB, T::Key>>::WIDTH
    }

    fn walk_table<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.table.walk_ast(pass)
    }

    fn walk_columns<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.columns.walk_ast(pass)
    }

    fn walk_key<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.key.walk_ast(pass)
    }

    fn all_columns(&self) -> QueryResult<String> {
        sql_of::<DB>(&T::Table::all_columns())
    }

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

/// How many columns a model takes; a trait so that `Wanted` need not name the SQL type of the row.
trait SizedOn<DB: Backend> {
    const WIDTH: usize;
}

impl<T, DB> SizedOn<DB> for T
where
    DB: Backend,
    T: Selectable<DB> + StaticallySizedRow<<T::SelectExpression as Expression>::SqlType, DB>,
{
    const WIDTH: usize = T::FIELD_COUNT;
}
