//! The attribute `#[advisory_locked]`: a second compiler of the same build, `ast` and `options` (with `timeout`) read the
//! method, `check` judges it, `expand` writes it anew. What has a mistake is left as it was written.

mod ast;
mod check;
mod expand;
mod options;
mod timeout;

pub(crate) use self::expand::attribute;
