//! The select list of a pick: the columns of a model, or those of the query.

use diesel::backend::Backend;

use super::model::ModelText;

/// The select list of a pick.
#[allow(dead_code, reason = "of one backend only")]
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub enum Columns<'q, DB: Backend> {
    /// The columns of a model.
    Of(&'q dyn ModelText<DB>),
    /// The select list of the query itself.
    Own,
}
