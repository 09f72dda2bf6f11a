//! Prepared statements that must not be executed again once they have failed.

use diesel::result::Error as DieselError;

/// What a blocking connection needs to keep statements prepared that return rows.
///
/// Such a statement can only be taken out of Diesel's cache together with all others, by [`set_prepared_statement_cache_size`][size]. That
/// would also enable a cache that the application has disabled, and the size cannot be read. So a statement is sent beforehand that shows
/// whether the connection keeps it.
///
/// [size]: diesel::connection::Connection::set_prepared_statement_cache_size
#[doc(hidden)]
#[derive(Debug)]
pub struct KeptStatements {
    /// A statement that does nothing and returns no row.
    pub(crate) nothing: &'static str,
    /// Returns whether an error comes before the server begins its answer. Such a statement may be executed again.
    pub(crate) fails_early: fn(&DieselError) -> bool,
}
