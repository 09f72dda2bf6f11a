//! The SQL text of a model: its table, its key and its columns.

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

/// The part of a model that statements are written from.
#[doc(hidden)]
pub trait ModelText<DB: Backend> {
    fn model_name(&self) -> &'static str;
    fn table_name(&self) -> QueryResult<TableName>;

    /// Returns the type of the model, if it alone determines the SQL of the model's columns.
    fn static_id(&self) -> Option<TypeId>;

    /// Returns the number of columns that the model reads from a row.
    fn width(&self) -> usize;

    /// Returns the number of key columns.
    fn key_width(&self) -> usize;

    fn walk_table<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;
    fn walk_columns<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;
    fn walk_key<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Returns all columns of `table!` as SQL, whether the model selects them or not.
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

/// The number of columns of a model. It is a trait so that [`ModelText`] need not name the SQL type of the row.
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
