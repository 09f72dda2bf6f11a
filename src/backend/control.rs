//! Statements that begin and end transactions, prepared instead of sent as text.

use std::{borrow::Cow, sync::atomic::AtomicBool};

use diesel::{backend::Backend, result::Error as DieselError};

use crate::diesel_internals::Statement;

/// The statements by which a connection begins and ends transactions that sends a text in several round trips and a prepared statement,
/// once it is in Diesel's cache, in one.
///
/// `MysqlConnection` is one: for each text it allows several statements in one text, sends the text, and forbids them again.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct PreparedControl<DB: Backend> {
    /// Begins a transaction.
    pub(crate) begin: &'static str,
    /// Commits a transaction of which only a cluster can have taken the rows; fails if no transaction is open, as far as the server can
    /// tell.
    pub(crate) commit_open: &'static str,
    /// Returns whether `commit_open` has failed because no transaction is open.
    pub(crate) is_not_open: fn(&DieselError) -> bool,
    /// Builds the statement of a text.
    pub(crate) statement: fn(Cow<'static, str>) -> Statement<'static, DB>,
    /// Returns whether an error may say that the server does not prepare the statement: it has none of the known meanings.
    pub(crate) is_not_prepared: fn(&DieselError) -> bool,
    /// True if savepoints are sent as text, since a server has not prepared one. To try first would cost a round trip more.
    ///
    /// It is of the process and not of the connection, which has no place for it. A process that talks to servers of both kinds sends
    /// savepoints as text to all of them.
    pub(crate) as_text: &'static AtomicBool,
}

/// The statements that ask for the state of a transaction.
#[doc(hidden)]
#[derive(Debug)]
pub struct Probe {
    /// A text that fails in a transaction that the server has given up, and outside of a transaction.
    pub(crate) is_whole: &'static str,
    /// A text that fails in a transaction that the server has given up.
    pub(crate) is_not_aborted: &'static str,
}

/// A statement that commits a transaction in place of `COMMIT`.
#[derive(Debug, Clone)]
pub(crate) enum CommitBy {
    /// One statement, which is prepared.
    Statement(&'static str),
    /// A text of several statements, of which the first is `COMMIT`.
    Text(String),
}
