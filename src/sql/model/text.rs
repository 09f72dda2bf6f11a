//! What a model says of its table in SQL.

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

use crate::{
    diesel_internals::sql_of,
    lockable::Lockable,
    sql::{KeyList, TableName},
};

/// The side of a model that statements are written from.
#[doc(hidden)]
pub trait ModelText<DB: Backend> {
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
}

pub(super) struct TextOf<T, DB>
where
    DB: Backend,
    T: Lockable + Selectable<DB>,
{
    table: T::Table,
    key: <T::Table as Table>::PrimaryKey,
    columns: T::SelectExpression,
}

impl<T, DB> TextOf<T, DB>
where
    DB: Backend,
    T: Lockable + Selectable<DB>,
{
    pub(super) fn new() -> Self {
        let table = T::table();
        let key = table.primary_key();
        TextOf { table, key, columns: T::construct_selection() }
    }
}

impl<T, DB> ModelText<DB> for TextOf<T, DB>
where
    DB: Backend<QueryBuilder: Default> + Default + 'static,
    T: Lockable + Selectable<DB> + SizedOn<DB>,
    T::SelectExpression: QueryFragment<DB> + QueryId,
    T::Table: QueryFragment<DB>,
    <T::Table as Table>::PrimaryKey: QueryFragment<DB>,
    <T::Table as Table>::AllColumns: QueryFragment<DB>,
    T::KeyColumns: KeyList<DB, T::Key>,
{
    fn model_name(&self) -> &'static str {
        T::TYPE_NAME
    }

    fn table_name(&self) -> QueryResult<TableName> {
        TableName::of_type::<DB, _>(&self.table)
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
}

/// How many columns a model takes; a trait so that [`ModelText`] need not name the SQL type of the row.
pub(super) trait SizedOn<DB: Backend> {
    const WIDTH: usize;
}

impl<T, DB> SizedOn<DB> for T
where
    DB: Backend,
    T: Selectable<DB> + StaticallySizedRow<<T::SelectExpression as Expression>::SqlType, DB>,
{
    const WIDTH: usize = T::FIELD_COUNT;
}
