//! The attribute `#[advisory_locked]`, with the same passes as the derive: `ast` and `options` (with `timeout`) read the
//! method, `check` validates it, and `expand` generates it anew. A method with a mistake is left unchanged.

mod ast;
mod check;
mod expand;
mod options;
mod timeout;

pub(crate) use self::expand::attribute;
