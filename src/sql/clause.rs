//! Query nodes that write a single clause of a statement, so that its text can be read separately.

use diesel::{
    backend::Backend,
    query_builder::{AstPass, QueryFragment},
    result::QueryResult,
};

use super::{any_select::AnySelect, model::ModelText};

macro_rules! pieces {
    ($($(#[$doc:meta])* $piece:ident of $whole:ident by $walk:ident;)*) => {$(
        $(#[$doc])*
        #[allow(dead_code, reason = "each backend looks at other pieces")]
        pub(crate) struct $piece<'q, DB: Backend>(pub(crate) &'q dyn $whole<DB>);

        impl<DB: Backend> QueryFragment<DB> for $piece<'_, DB> {
            fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
                self.0.$walk(pass)
            }
        }
    )*};
}

pieces! {
    /// `SELECT`, and `DISTINCT` if there is one.
    Head of AnySelect by walk_head;
    /// The select list of a query.
    Selected of AnySelect by walk_select;
    /// The tables of a query.
    From of AnySelect by walk_from;
    /// The conditions of a query.
    Filter of AnySelect by walk_filter;
    /// All clauses behind the conditions: grouping, order and limit.
    Behind of AnySelect by walk_rest;
    /// The key columns of a model.
    KeyOf of ModelText by walk_key;
    /// The columns that a model selects.
    ColumnsOf of ModelText by walk_columns;
}
