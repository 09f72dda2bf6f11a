//! A session of the server: who it is and what it does.

use std::time::Duration;

/// A session, as far as the server reports it to the user of the connection.
///
/// Values that the server does not report are `None` or empty. PostgreSQL shows what the sessions of other roles do only to members of
/// [`pg_read_all_stats`][roles] and to superusers.
///
/// [roles]: https://www.postgresql.org/docs/current/predefined-roles.html
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LockSession {
    /// The process id on PostgreSQL, for `pg_cancel_backend` and `pg_terminate_backend`; the connection id on MySQL and MariaDB, for
    /// `KILL`. Zero for a transaction that no session has: a prepared one, of `PREPARE TRANSACTION` or `XA PREPARE`.
    pub id: i64,
    /// The role on PostgreSQL, `user@host` on MySQL and MariaDB.
    pub user: String,
    /// The `application_name` on PostgreSQL. Empty on MySQL and MariaDB.
    pub application: String,
    /// The database that the session is connected to.
    pub database: Option<String>,
    /// The state: `active`, `idle in transaction` and so on on PostgreSQL, the command, such as `Query` or `Sleep`, on MySQL and MariaDB.
    pub state: Option<String>,
    /// The time for which it has been in this state. MySQL counts whole seconds.
    pub state_age: Option<Duration>,
    /// The age of its open transaction.
    pub transaction_age: Option<Duration>,
    /// The statement that it runs, or the last one that it ran. MariaDB shows only one that runs.
    pub statement: Option<String>,
}

impl LockSession {
    /// Returns whether the session has a transaction open and runs nothing: its program does something else, or has forgotten it.
    #[must_use]
    pub fn is_idle_in_transaction(&self) -> bool {
        match self.state.as_deref() {
            Some("Sleep") => self.transaction_age.is_some(),
            Some(state) => state.starts_with("idle in transaction"),
            None => false,
        }
    }
}
