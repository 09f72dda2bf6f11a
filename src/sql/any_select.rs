//! A user's query as a set sees it: it chooses rows, and the set writes the select list.

use std::any::TypeId;

use diesel::{
    backend::{Backend, DieselReserveSpecialization},
    query_builder::{AsQuery, AstPass, BoxedLimitOffsetClause, QueryFragment, QueryId},
    query_dsl::methods::SelectDsl,
    query_source::{QuerySource, Table},
    result::QueryResult,
};

use crate::{
    diesel_internals::{BoxedSelectStatement, FromClause, SelectStatement, is_empty, sql_of},
    lockable::Lockable,
};

/// A query that chooses rows of the model `T`: its table, filtered, joined, ordered, limited, distinct, boxed or not.
///
/// The select list does not matter: a set writes its own. The table of `T` must occur once, and not on the side of an
/// outer join that may be empty.
///
/// A union is not such a query (pass its parts one by one), nor is one that takes locks itself, nor a grouped one unless
/// it is grouped by the key.
#[diagnostic::on_unimplemented(
    message = "this query does not choose rows of `{T}` that a lock set could lock",
    label = "not a query over the table of `{T}`",
    note = "a lock set takes a table or a `SELECT` over it, filtered, joined, ordered, limited, distinct, boxed or not",
    note = "the table of `{T}` must occur in it exactly once, and not on the optional side of an outer join; an alias \
            is another table",
    note = "a union cannot be locked: pass its parts one by one; leave out `for_update()` and `group_by(..)`: the set \
            locks, and only a grouping by the key keeps rows apart",
    note = "a boxed query must be boxed for the backend of the connection"
)]
pub trait RowQuery<'a, T, DB: Backend> {
    #[doc(hidden)]
    fn into_select(self) -> Box<dyn AnySelect<DB> + 'a>;
}

#[diagnostic::do_not_recommend]
impl<'a, Q, T, DB> RowQuery<'a, T, DB> for Q
where
    DB: Backend,
    Q: AsQuery,
    Q::Query: AnySelect<DB> + 'a,
    T: QueriedBy<Q::Query>,
{
    fn into_select(self) -> Box<dyn AnySelect<DB> + 'a> {
        Box::new(self.as_query())
    }
}

/// A model of a table that the query `Q` is over.
///
/// Asked of the model and not of the query: as long as nobody has said which model it is, there is nothing to try. The other
/// way round the compiler tried every expression of Diesel's, for minutes, before it asked for a type.
#[doc(hidden)]
pub trait QueriedBy<Q>: Lockable {}

#[diagnostic::do_not_recommend]
impl<T, Q> QueriedBy<Q> for T
where
    T: Lockable,
    Q: SelectDsl<<T::Table as Table>::PrimaryKey>,
{
}

/// What a query has besides tables and filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub struct Shape {
    /// `LIMIT` or `OFFSET`: which rows are chosen depends on the other rows.
    pub limited: bool,
    /// `OFFSET`: the first rows are not chosen.
    pub offset: bool,
    /// `DISTINCT`, `GROUP BY` or `HAVING`: a row of the answer is not a row of the table.
    pub folded: bool,
    /// `GROUP BY` or `HAVING`: which rows are chosen may depend on the other rows.
    pub grouped: bool,
    /// `DISTINCT`: what is ordered by must be selected, and a limit counts what is distinct in the query's own select list.
    pub distinct: bool,
}

/// A query taken apart at its select list, with its type forgotten.
#[doc(hidden)]
pub trait AnySelect<DB: Backend>: Send {
    /// What it is made of.
    fn shape(&self) -> QueryResult<Shape>;

    /// Two queries with the same one have the same text; there is none if the type alone does not say.
    fn static_id(&self) -> Option<TypeId>;

    /// `SELECT`, and `DISTINCT` if there is one.
    fn walk_head<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// The query's own select list.
    fn walk_select<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// `FROM`, with all joins.
    fn walk_from<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// `WHERE`, if there is one.
    fn walk_filter<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Everything behind `WHERE`.
    fn walk_rest<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;
}

/// What both kinds of statement have under the same names.
macro_rules! walk_same_clauses {
    () => {
        fn shape(&self) -> QueryResult<Shape> {
            let limited = !is_empty(&self.limit_offset)?;
            Ok(Shape {
                limited,
                offset: limited && sql_of::<DB>(&self.limit_offset)?.contains("OFFSET"),
                folded: !(is_empty(&self.distinct)? && is_empty(&self.group_by)? && is_empty(&self.having)?),
                grouped: !(is_empty(&self.group_by)? && is_empty(&self.having)?),
                distinct: !is_empty(&self.distinct)?,
            })
        }

        fn walk_head<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
            pass.push_sql("SELECT ");
            self.distinct.walk_ast(pass)
        }

        fn walk_select<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
            self.select.walk_ast(pass)
        }

        fn walk_from<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
            self.from.walk_ast(pass)
        }

        fn walk_filter<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
            self.where_clause.walk_ast(pass)
        }
    };
}

// Eight parameters: the ninth, the locking clause, is left at its default, so a query that locks by itself is no choice.
impl<DB, F, S, D, W, O, LOf, G, H> AnySelect<DB> for SelectStatement<FromClause<F>, S, D, W, O, LOf, G, H>
where
    DB: Backend<QueryBuilder: Default> + Default,
    Self: QueryId,
    F: QuerySource,
    FromClause<F>: QueryFragment<DB> + Send,
    S: QueryFragment<DB> + Send,
    D: QueryFragment<DB> + Send,
    W: QueryFragment<DB> + Send,
    O: QueryFragment<DB> + Send,
    LOf: QueryFragment<DB> + Send,
    G: QueryFragment<DB> + Send,
    H: QueryFragment<DB> + Send,
{
    walk_same_clauses!();

    fn static_id(&self) -> Option<TypeId> {
        Self::query_id()
    }

    fn walk_rest<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.group_by.walk_ast(pass.reborrow())?;
        self.having.walk_ast(pass.reborrow())?;
        self.order.walk_ast(pass.reborrow())?;
        self.limit_offset.walk_ast(pass)
    }
}

impl<'q, DB, ST, F, GB> AnySelect<DB> for BoxedSelectStatement<'q, ST, FromClause<F>, DB, GB>
where
    DB: Backend<QueryBuilder: Default> + DieselReserveSpecialization + Default,
    F: QuerySource,
    FromClause<F>: QueryFragment<DB> + Send,
    BoxedLimitOffsetClause<'q, DB>: QueryFragment<DB>,
    Self: Send,
{
    walk_same_clauses!();

    fn static_id(&self) -> Option<TypeId> {
        None
    }

    fn walk_rest<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.group_by.walk_ast(pass.reborrow())?;
        self.having.walk_ast(pass.reborrow())?;
        if let Some(order) = &self.order {
            pass.push_sql(" ORDER BY ");
            order.walk_ast(pass.reborrow())?;
        }
        self.limit_offset.walk_ast(pass)
    }
}
