//! One model of a set, and the queries that choose its rows.

use std::sync::Arc;

use diesel::backend::Backend;

use super::{
    any_select::{AnySelect, Shape},
    model::Model,
    query_text::QueryText,
};

/// A model with the queries that choose its rows.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct QueriedModel<'a, DB: Backend> {
    pub(crate) model: Box<dyn Model<DB>>,
    pub(crate) choices: Vec<Chosen<'a, DB>>,
}

/// One query of a model, with its shape and the findings about its text.
pub(crate) struct Chosen<'a, DB: Backend> {
    pub(crate) query: Box<dyn AnySelect<DB> + Send + 'a>,
    pub(crate) shape: Shape,
    pub(crate) text: Arc<QueryText>,
}

impl<DB: Backend> Chosen<'_, DB> {
    pub(crate) fn select(&self) -> &dyn AnySelect<DB> {
        &*self.query
    }
}
