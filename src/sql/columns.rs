//! The select list of a statement that is not about a whole set.

use diesel::backend::Backend;

use super::model::ModelText;

/// What a pick selects.
#[allow(dead_code, reason = "of one backend only")]
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub enum Columns<'q, DB: Backend> {
    /// The columns of a model.
    Of(&'q dyn ModelText<DB>),
    /// What the query selects by itself.
    Own,
}
