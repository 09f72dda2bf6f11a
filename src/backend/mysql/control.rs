//! The statements that begin and end transactions, as prepared statements.
//!
//! Diesel sends a text to these servers in three round trips, and a prepared statement that its cache has in one. MariaDB prepares every
//! statement. MySQL prepares `COMMIT` and not `BEGIN`, `SAVEPOINT` or `RELEASE SAVEPOINT` ([manual][manual]): error 1295. Without an open
//! transaction, `COMMIT AND CHAIN` does there what `BEGIN` does, and keeps the isolation level that `SET TRANSACTION` has chosen for the
//! next transaction. Without `NO RELEASE` it would end the session where `completion_type` is `RELEASE`.
//!
//! [manual]: https://dev.mysql.com/doc/refman/9.7/en/sql-prepared-statements.html

use std::{borrow::Cow, sync::atomic::AtomicBool};

use diesel::{
    mysql::Mysql,
    query_builder::{AstPass, QueryFragment},
    result::{DatabaseErrorKind, Error as DieselError, QueryResult},
};

use crate::{backend::PreparedControl, diesel_internals::Statement, error::LockError};

static SAVEPOINTS_AS_TEXT: AtomicBool = AtomicBool::new(false);

pub(super) static PREPARED_CONTROL: PreparedControl<Mysql> = PreparedControl {
    begin: "/*M! BEGIN */ /*!80001 COMMIT AND CHAIN NO RELEASE */",
    commit_open: COMMIT_OPEN,
    is_not_open,
    statement: |text| Statement::new(TextOnly(text)),
    is_not_prepared,
    as_text: &SAVEPOINTS_AS_TEXT,
};

/// A further condition, which fails on MariaDB if no transaction is open. `~0` is the largest number there is, so adding 1 to it overflows. MySQL
/// cannot be asked.
///
/// It is a part of the statement that relies on the transaction. A node of a cluster rolls back between two statements, and the error is
/// lost if the client closes a prepared statement just then.
pub(super) const IS_OPEN: &str = " /*M! AND ~0 + (@@in_transaction = 0) */";

/// Commits if a transaction is open. A subquery in place of the overflow ends the server: 10.11.19 and 11.8.9 crash while they prepare it.
const COMMIT_OPEN: &str =
    "/*M! SET STATEMENT lock_wait_timeout = @@lock_wait_timeout + 0 * (~0 + (@@in_transaction = 0)) FOR */ COMMIT";

/// Returns whether an error comes from [`IS_OPEN`] or from [`COMMIT_OPEN`]: the message has the text of the condition.
pub(super) fn is_not_open(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(_, info) if info.message().contains("@@in_transaction"))
}

/// The message of 1295 is in the language of the server, and says nothing that the error of a savepoint could not say as well. So any error
/// counts that this crate does not know: the server has executed nothing.
fn is_not_prepared(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(DatabaseErrorKind::Unknown, _)) && !LockError::is_known(error)
}

/// A statement without bind parameters.
pub(super) struct TextOnly(pub(super) Cow<'static, str>);

impl QueryFragment<Mysql> for TextOnly {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Mysql>) -> QueryResult<()> {
        pass.push_sql(&self.0);
        Ok(())
    }
}
