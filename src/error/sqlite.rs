//! The messages of SQLite about locks. They are always in English. `%s` stands for the name of a table.
//!
//! Diesel gives none of these errors a kind of its own. SQLite has one message for all [kinds of a busy database][busy].
//!
//! [busy]: https://www.sqlite.org/rescode.html#busy

/// `SQLITE_BUSY` and `SQLITE_BUSY_SNAPSHOT`: another connection is the writer, or reads what is to be committed
pub(super) const BUSY: &[&str] = &["database is locked"];

/// `SQLITE_LOCKED`: the same between connections that [share a cache][shared], which do not wait for each other
///
/// [shared]: https://www.sqlite.org/sharedcache.html
pub(super) const SHARED: &[&str] =
    &["database table is locked", "database table is locked: %s", "database schema is locked: %s"];

/// `SQLITE_READONLY`
pub(super) const READ_ONLY: &[&str] = &["attempt to write a readonly database"];

/// `SQLITE_ERROR` of a `DELETE` from a view, and from a table of SQLite's own or of a module that can only be read
pub(super) const NO_TABLE: &[&str] = &["cannot modify %s because it is a view", "table %s may not be modified"];

/// `SQLITE_ERROR` of a `COMMIT` behind the end of the transaction: some errors [roll back][rollback]
///
/// [rollback]: https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
pub(super) const OVER: &[&str] = &["cannot commit - no transaction is active"];
