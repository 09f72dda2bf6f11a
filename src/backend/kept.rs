//! Prepared statements that must not be executed again once they have failed.

use diesel::{backend::Backend, deserialize, result::Error as DieselError};

use crate::diesel_internals::{RowRef, Statement};

/// What a blocking connection needs to keep such statements prepared.
///
/// Such a statement can only be taken out of Diesel's cache together with all others, by [`set_prepared_statement_cache_size`][size]. That
/// would also enable a cache that the application has disabled, so the server is asked beforehand whether there is one.
///
/// [size]: diesel::connection::Connection::set_prepared_statement_cache_size
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct KeptStatements<DB: Backend> {
    /// Builds the query for the number of statements that the session has prepared, itself included if it is prepared anew.
    pub(crate) prepared: fn() -> Statement<'static, DB>,
    /// Reads the only row of the answer.
    pub(crate) number: fn(&RowRef<'_, DB>) -> deserialize::Result<u64>,
    /// Returns whether an error comes before the server begins its answer. Such a statement may be executed again.
    pub(crate) fails_early: fn(&DieselError) -> bool,
}
