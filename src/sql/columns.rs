//! The select list of a statement that is not about a whole set.

use diesel::backend::Backend;

use super::model::ModelText;

/// What a pick selects.
#[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "of that backend only"))]
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub enum Columns<'q, DB: Backend> {
    /// The columns of a model.
    Of(&'q dyn ModelText<DB>),
    /// What the query selects by itself.
    Own,
}
