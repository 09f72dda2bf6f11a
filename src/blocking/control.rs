//! Begins and commits transactions over Diesel's own connections in fewer round trips than Diesel's transaction manager.
//!
//! It does what the manager does: it changes the same status, and reports the same events to the instrumentation of the connection. What
//! follows a failed `COMMIT` is the manager's too. Rollbacks are left to it.

use std::{borrow::Cow, num::NonZeroU32, sync::atomic::Ordering::Relaxed};

use diesel::{
    connection::{TransactionManager, TransactionManagerStatus},
    result::{Error as DieselError, QueryResult},
};

use super::connection::LockConnection;
use crate::{
    backend::{CommitBy, LockingBackend, PreparedControl},
    diesel_internals::{
        begin_event, commit_event, is_aborted, transaction_begun, transaction_depth, transaction_ended,
    },
};

/// Begins a transaction, or sets a savepoint in the open one.
pub(super) fn begin<DB, Conn>(conn: &mut Conn, control: &PreparedControl<DB>) -> QueryResult<()>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    let open = transaction_depth(status(conn))?;
    conn.instrumentation()
        .on_connection_event(begin_event(open.map_or(NonZeroU32::MIN, |open| open.saturating_add(1))));
    match open {
        None => prepared(conn, control, control.begin.into())?,
        Some(open) => send(conn, control, format!("SAVEPOINT diesel_savepoint_{open}").into())?,
    }
    transaction_begun(status(conn))
}

/// Commits a transaction, or releases the innermost savepoint.
pub(super) fn commit<DB, Conn>(conn: &mut Conn, control: &PreparedControl<DB>) -> QueryResult<()>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    end(conn, |conn, depth| match depth.get() {
        1 => prepared(conn, control, "COMMIT".into()),
        depth => send(conn, control, format!("RELEASE SAVEPOINT diesel_savepoint_{}", depth - 1).into()),
    })
}

/// Commits the outermost transaction by a statement in place of `COMMIT`.
pub(super) fn commit_by<DB, Conn>(conn: &mut Conn, by: &CommitBy) -> QueryResult<()>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    end(conn, |conn, _| match (by, DB::PREPARED_CONTROL) {
        (CommitBy::Statement(text), Some(control)) => prepared(conn, control, Cow::Borrowed(text)),
        (CommitBy::Statement(text), None) => conn.batch_execute(text),
        (CommitBy::Text(text), _) => conn.batch_execute(text),
    })
}

/// Sends a statement about a savepoint: prepared, or as text to a server that does not prepare it.
pub(super) fn send<DB, Conn>(conn: &mut Conn, control: &PreparedControl<DB>, text: Cow<'static, str>) -> QueryResult<()>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    if control.as_text.load(Relaxed) {
        return conn.batch_execute(&text);
    }
    match prepared(conn, control, text.clone()) {
        Err(error) if (control.is_not_prepared)(&error) => {
            conn.batch_execute(&text)?;
            control.as_text.store(true, Relaxed);
            Ok(())
        }
        sent => sent,
    }
}

fn prepared<DB, Conn>(conn: &mut Conn, control: &PreparedControl<DB>, text: Cow<'static, str>) -> QueryResult<()>
where
    DB: LockingBackend,
    Conn: LockConnection<Backend = DB>,
{
    conn.execute_returning_count(&(control.statement)(text)).map(drop)
}

fn end<Conn: LockConnection>(
    conn: &mut Conn,
    commit: impl FnOnce(&mut Conn, NonZeroU32) -> QueryResult<()>,
) -> QueryResult<()> {
    let depth = transaction_depth(status(conn))?.ok_or(DieselError::NotInTransaction)?;
    conn.instrumentation().on_connection_event(commit_event(depth));
    let outermost = depth.get() == 1;
    let Err(commit_error) = commit(conn, depth) else {
        return match transaction_ended(status(conn)) {
            // The connection has seen the end already.
            Err(DieselError::NotInTransaction) if outermost => Ok(()),
            ended => ended,
        };
    };
    let still_open = matches!(transaction_depth(status(conn)), Ok(Some(_)));
    if still_open && (outermost || is_aborted(status(conn))) {
        if let Err(rollback_error) = Conn::TransactionManager::rollback_transaction(conn) {
            status(conn).set_in_error();
            let (rollback_error, commit_error) = (Box::new(rollback_error), Box::new(commit_error));
            return Err(DieselError::RollbackErrorOnCommit { rollback_error, commit_error });
        }
    }
    Err(commit_error)
}

fn status<Conn: LockConnection>(conn: &mut Conn) -> &mut TransactionManagerStatus {
    Conn::TransactionManager::transaction_manager_status_mut(conn)
}
