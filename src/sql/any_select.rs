//! A user's query in a lock set: the query chooses rows, and the set writes the select list.

use std::any::TypeId;

use diesel::{
    backend::{Backend, DieselReserveSpecialization},
    query_builder::{AsQuery, AstPass, BoxedLimitOffsetClause, QueryFragment, QueryId},
    query_dsl::methods::SelectDsl,
    query_source::{QuerySource, Table},
    result::QueryResult,
};

use crate::{
    diesel_internals::{BoxedSelectStatement, FromClause, SelectStatement, has_raw_sql, is_empty, sql_of},
    lockable::Lockable,
};

/// A query that chooses rows of the model `T`: its table, filtered, joined, ordered, limited, distinct, boxed or not.
///
/// The select list does not matter: a set writes its own. The table of `T` must occur once, and not on the optional side of an outer join.
///
/// A union is not such a query (pass its parts one by one). Neither is a query that takes locks itself, nor a grouped one unless it is
/// grouped by the key. [`LockSet`](crate::LockSet) has an example.
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
    fn into_select(self) -> Box<dyn AnySelect<DB> + Send + 'a>;
}

#[diagnostic::do_not_recommend]
impl<'a, Q, T, DB> RowQuery<'a, T, DB> for Q
where
    DB: Backend,
    Q: AsQuery,
    Q::Query: AnySelect<DB> + Send + 'a,
    T: QueriedBy<Q::Query>,
{
    fn into_select(self) -> Box<dyn AnySelect<DB> + Send + 'a> {
        Box::new(self.as_query())
    }
}

/// A model of a table that the query `Q` is over.
///
/// The trait is implemented for the model and not for the query: as long as the model is not known, the compiler has nothing to try. With
/// the query as `Self`, it tried every expression of Diesel, for minutes, before it asked for a type.
#[doc(hidden)]
pub trait QueriedBy<Q>: Lockable {}

#[diagnostic::do_not_recommend]
impl<T, Q> QueriedBy<Q> for T
where
    T: Lockable,
    Q: SelectDsl<<T::Table as Table>::PrimaryKey>,
{
}

/// The clauses of a query besides its tables and filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(hidden)]
pub struct Shape {
    /// `LIMIT` or `OFFSET`: the choice of rows depends on other rows.
    pub limited: bool,
    /// `OFFSET`: the first rows are not chosen.
    pub offset: bool,
    /// `DISTINCT`, `GROUP BY` or `HAVING`: a row of the result is not a row of the table.
    pub folded: bool,
    /// `GROUP BY` or `HAVING`: the choice of rows may depend on other rows.
    pub grouped: bool,
    /// `DISTINCT`: the columns of the order must be selected, and a limit counts the rows that are distinct in the query's own select list.
    pub distinct: bool,
}

/// A query that is split at its select list, with its type erased.
#[doc(hidden)]
pub trait AnySelect<DB: Backend> {
    /// Returns which of these clauses the query has.
    fn shape(&self) -> QueryResult<Shape>;

    /// Returns an id that is shared only by queries with the same text; `None` if the type does not determine the text.
    fn static_id(&self) -> Option<TypeId>;

    /// Writes `SELECT`, and `DISTINCT` if there is one.
    fn walk_head<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Writes the query's own select list.
    fn walk_select<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Writes `FROM`, with all joins.
    fn walk_from<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Writes `WHERE`, if there is one.
    fn walk_filter<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;

    /// Writes everything behind `WHERE`.
    fn walk_rest<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()>;
}

/// Returns the id of a query, unless one of its pieces is raw SQL.
///
/// It is looked at in each call: a user's own query node may claim that its type determines its text, and ask to be kept out of Diesel's
/// statement cache for some of its values only.
pub(super) fn type_determines_text<DB: Backend + Default>(
    id: Option<TypeId>,
    pieces: &[&dyn QueryFragment<DB>],
) -> Option<TypeId> {
    id.filter(|_| !pieces.iter().any(|piece| has_raw_sql(*piece).unwrap_or(true)))
}

/// The methods that are the same for both kinds of statement, since their fields have the same names.
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

// The ninth type parameter, the locking clause, keeps its default: a query that locks by itself is not accepted.
impl<DB, F, S, D, W, O, LOf, G, H> AnySelect<DB> for SelectStatement<FromClause<F>, S, D, W, O, LOf, G, H>
where
    DB: Backend<QueryBuilder: Default> + Default,
    Self: QueryId,
    F: QuerySource,
    FromClause<F>: QueryFragment<DB>,
    S: QueryFragment<DB>,
    D: QueryFragment<DB>,
    W: QueryFragment<DB>,
    O: QueryFragment<DB>,
    LOf: QueryFragment<DB>,
    G: QueryFragment<DB>,
    H: QueryFragment<DB>,
{
    walk_same_clauses!();

    fn static_id(&self) -> Option<TypeId> {
        let pieces: [&dyn QueryFragment<DB>; 8] = [
            &self.distinct,
            &self.select,
            &self.from,
            &self.where_clause,
            &self.group_by,
            &self.having,
            &self.order,
            &self.limit_offset,
        ];
        type_determines_text(Self::query_id(), &pieces)
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
    FromClause<F>: QueryFragment<DB>,
    BoxedLimitOffsetClause<'q, DB>: QueryFragment<DB>,
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
