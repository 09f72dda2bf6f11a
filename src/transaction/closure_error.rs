//! The error types that the closure of a [`LockTransaction`](crate::LockTransaction) may return.

use std::{error::Error, ops::Deref};

use crate::error::Classed;

/// An error type that the closure of a [`LockTransaction`](crate::LockTransaction) may return: any that implements
/// [`Error`](std::error::Error), `Box<dyn Error + Send + Sync>`, `anyhow::Error` and similar types.
///
/// The last ones do not implement `Error`. `Kind` keeps the two impls apart, since Rust cannot rule out that these types implement it one
/// day. `Kind` is inferred.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a `LockTransaction`",
    label = "not an error that can be looked into",
    note = "it is `std::error::Error + Send + Sync + 'static`, `Box<dyn std::error::Error + Send + Sync>` or `anyhow::Error`, \
            and comes `From<LockError>` and `From<diesel::result::Error>`"
)]
pub trait ClosureError<Kind> {
    /// Returns the error, to be searched for its class.
    fn as_error(&self) -> &(dyn Error + 'static);

    /// Boxes the error as the source of another one.
    fn into_boxed(self) -> Box<dyn Error + Send + Sync>;
}

/// The kind of an error type that implements [`Error`].
#[doc(hidden)]
#[derive(Debug)]
pub enum Concrete {}

/// The kind of a smart pointer to any error: `Box<dyn Error + Send + Sync>`, `anyhow::Error`.
#[doc(hidden)]
#[derive(Debug)]
pub enum Boxed {}

impl<E: Error + Send + Sync + 'static> ClosureError<Concrete> for E {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }

    fn into_boxed(self) -> Box<dyn Error + Send + Sync> {
        Box::new(self)
    }
}

impl<E> ClosureError<Boxed> for E
where
    E: Deref<Target = dyn Error + Send + Sync> + Into<Box<dyn Error + Send + Sync>>,
{
    fn as_error(&self) -> &(dyn Error + 'static) {
        &**self
    }

    fn into_boxed(self) -> Box<dyn Error + Send + Sync> {
        Classed::boxed(self)
    }
}
