//! A query that locks by itself, in two pieces, so that a backend can write something in front of it or between them.

use diesel::{
    backend::{Backend, DieselReserveSpecialization},
    query_builder::{AstPass, BoxedLimitOffsetClause, QueryFragment},
    result::QueryResult,
};

use super::table_name::TableName;
use crate::diesel_internals::{BoxedSelectStatement, FromClause, SelectStatement};

/// A query with any number of locking clauses on it.
///
/// Each backend implements it for the clauses, which it spells.
pub(crate) trait InPieces<DB: Backend> {
    /// `SELECT .. FROM ..`, with all joins.
    fn walk_tables<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Everything behind the tables.
    fn walk_rest<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Adds the tables whose rows the clauses lock, in the order of the clauses.
    fn locked(&self, tables: &mut Vec<TableName>) -> QueryResult<()>;
}

impl<DB, F, S, D, W, O, LOf> InPieces<DB> for SelectStatement<FromClause<F>, S, D, W, O, LOf>
where
    DB: Backend,
    F: diesel::query_source::QuerySource,
    FromClause<F>: QueryFragment<DB>,
    S: QueryFragment<DB>,
    D: QueryFragment<DB>,
    W: QueryFragment<DB>,
    O: QueryFragment<DB>,
    LOf: QueryFragment<DB>,
{
    fn walk_tables<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        pass.push_sql("SELECT ");
        self.distinct.walk_ast(pass.reborrow())?;
        self.select.walk_ast(pass.reborrow())?;
        self.from.walk_ast(pass)
    }

    fn walk_rest<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.where_clause.walk_ast(pass.reborrow())?;
        self.order.walk_ast(pass.reborrow())?;
        self.limit_offset.walk_ast(pass)
    }

    fn locked(&self, _: &mut Vec<TableName>) -> QueryResult<()> {
        Ok(())
    }
}

impl<'q, ST, F, DB> InPieces<DB> for BoxedSelectStatement<'q, ST, FromClause<F>, DB, ()>
where
    DB: Backend + DieselReserveSpecialization,
    F: diesel::query_source::QuerySource,
    FromClause<F>: QueryFragment<DB>,
    BoxedLimitOffsetClause<'q, DB>: QueryFragment<DB>,
{
    fn walk_tables<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        pass.push_sql("SELECT ");
        self.distinct.walk_ast(pass.reborrow())?;
        self.select.walk_ast(pass.reborrow())?;
        self.from.walk_ast(pass)
    }

    fn walk_rest<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.where_clause.walk_ast(pass.reborrow())?;
        self.group_by.walk_ast(pass.reborrow())?;
        self.having.walk_ast(pass.reborrow())?;
        if let Some(order) = &self.order {
            pass.push_sql(" ORDER BY ");
            order.walk_ast(pass.reborrow())?;
        }
        self.limit_offset.walk_ast(pass)
    }

    fn locked(&self, _: &mut Vec<TableName>) -> QueryResult<()> {
        Ok(())
    }
}
