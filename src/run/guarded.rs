//! A transaction that a panic ends too.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use diesel::{connection::Connection, result::Error as DieselError};

/// Diesel's `transaction`, but a panic of the closure rolls back before it goes on unwinding.
///
/// Diesel leaves the transaction open then; a connection that is used again after `catch_unwind` would go on in it.
pub(super) fn transaction<Conn, R, E>(conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E>) -> Result<R, E>
where
    Conn: Connection,
    E: From<DieselError>,
{
    let outcome = conn.transaction(|conn| match catch_unwind(AssertUnwindSafe(|| f(conn))) {
        Ok(result) => result.map_err(Failure::Error),
        Err(panic) => Err(Failure::Panic(panic)),
    });
    outcome.map_err(|failure| match failure {
        Failure::Error(error) => error,
        Failure::Panic(panic) => resume_unwind(panic),
    })
}

enum Failure<E> {
    Error(E),
    Panic(Box<dyn Any + Send>),
}

impl<E: From<DieselError>> From<DieselError> for Failure<E> {
    fn from(error: DieselError) -> Self {
        Failure::Error(error.into())
    }
}
