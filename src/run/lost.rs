//! Transactions that the server has rolled back by itself, where it goes on in autocommit. What to send is the backend's to
//! say; when to send it is here.

use diesel::{
    connection::TransactionManager,
    result::{Error as DieselError, QueryResult},
};

use super::{connection::LockConnection, give_up::give_up, rows::each_row};
use crate::{
    backend::{LockingBackend, Rescue},
    diesel_internals::{RowRef, Statement, is_aborted, mark_aborted, transaction_depth},
    error::LockError,
};

/// Looks at what came of a statement of ours. If it was the end of the transaction, another one takes its place that can only
/// be rolled back.
pub(super) fn heed<Conn: LockConnection, T>(conn: &mut Conn, outcome: QueryResult<T>) -> QueryResult<T> {
    if let (Err(error), Some(rescue)) = (&outcome, Conn::Backend::RESCUE) {
        if (rescue.rolled_back)(error) || ((rescue.may_roll_back)(error) && does_roll_back(conn, &rescue)) {
            fence(conn);
        }
    }
    outcome
}

/// Whether the server takes the transaction back after an error that undoes the statement only on most servers. One that cannot
/// say has been lost since.
fn does_roll_back<Conn: LockConnection>(conn: &mut Conn, rescue: &Rescue<Conn::Backend>) -> bool {
    let in_transaction = matches!(transaction_depth(conn), Ok(Some(_)));
    in_transaction && has_a_row(conn, rescue.ask).unwrap_or(true)
}

/// After a nested transaction: if it took the outer ones along, those must not go on either.
pub(super) fn heed_outer<Conn: LockConnection>(conn: &mut Conn) {
    if is_aborted(conn) {
        fence(conn);
    }
}

fn fence<Conn: LockConnection>(conn: &mut Conn) {
    let (Some(rescue), Ok(Some(depth))) = (Conn::Backend::RESCUE, transaction_depth(conn)) else { return };
    let fence = (rescue.fence)(depth.get() - 1);
    match fence.iter().try_for_each(|statement| conn.batch_execute(statement)) {
        Ok(()) => mark_aborted(conn),
        Err(_) => give_up(conn),
    }
}

/// Lies in the outermost transaction, if that is ours.
pub(super) struct Tripwire {
    armed: bool,
}

impl Tripwire {
    pub(super) const NONE: Tripwire = Tripwire { armed: false };

    /// To be laid when the transaction has just begun.
    pub(super) fn arm<Conn: LockConnection>(conn: &mut Conn) -> QueryResult<Self> {
        let outermost = transaction_depth(conn)?.is_some_and(|depth| depth.get() == 1);
        match Conn::Backend::RESCUE {
            Some(rescue) if outermost => {
                let (setting, mark) = rescue.arm;
                if let Err(error) = conn.execute_returning_count(&setting()) {
                    let (function, setting) = rescue.arm_without;
                    if !error.to_string().contains(function) {
                        return Err(error);
                    }
                    conn.execute_returning_count(&setting())?;
                }
                conn.batch_execute(mark)?;
                Ok(Tripwire { armed: true })
            }
            _ => Ok(Self::NONE),
        }
    }

    /// Whether the transaction that is about to be committed is the one that was begun.
    pub(super) fn check<Conn, E>(&self, conn: &mut Conn) -> Result<(), E>
    where
        Conn: LockConnection,
        E: From<LockError> + From<DieselError>,
    {
        match Conn::Backend::RESCUE {
            Some(rescue) if self.armed => conn.batch_execute(rescue.check).map_err(|error| lost(error, conn)),
            _ => Ok(()),
        }
    }

    /// To be called when the transaction has ended. If it has not, since somebody has cancelled the very `ROLLBACK`, it ends
    /// with the connection: to put the setting back would commit it.
    pub(super) fn disarm<Conn: LockConnection>(self, conn: &mut Conn) {
        let Some(rescue) = Conn::Backend::RESCUE.filter(|_| self.armed) else { return };
        if transaction_depth(conn) != Ok(None) {
            return give_up(conn);
        }
        if conn.execute_returning_count(&(rescue.disarm)()).is_err() {
            give_up(conn);
        }
    }
}

/// Releases the innermost savepoint of Diesel's, which must be there.
pub(super) fn release<Conn, E>(conn: &mut Conn) -> Result<(), E>
where
    Conn: LockConnection,
    E: From<LockError> + From<DieselError>,
{
    let depth = transaction_depth(conn)?;
    let Err(error) = Conn::TransactionManager::commit_transaction(conn) else { return Ok(()) };
    // Diesel's manager counts a savepoint that it could not release; others let go of it and leave what was done in it.
    let undone = transaction_depth(conn) == Ok(depth) && Conn::TransactionManager::rollback_transaction(conn).is_ok();
    if Conn::Backend::RESCUE.is_none() {
        return Err(error.into());
    }
    // The savepoint is not there to be released.
    if !undone {
        mark_aborted(conn);
    }
    Err(lost(error, conn))
}

/// What it means that a savepoint could not be released.
///
/// If it is not there, the transaction was over before. A node of a cluster rolls a transaction back between two of its statements
/// and says so with the next one, a deadlock, or says nothing: that is a conflict lost, whatever the closure has returned. A lost
/// connection is Diesel's error; and a statement that was cancelled has not looked.
pub(super) fn lost<Conn, E>(error: DieselError, conn: &mut Conn) -> E
where
    Conn: LockConnection,
    E: From<LockError> + From<DieselError>,
{
    match LockError::of_locking_statement(error) {
        LockError::ConnectionLost(error) => error.into(),
        told @ (LockError::Canceled { .. } | LockError::Deadlock { .. } | LockError::Serialization { .. }) => {
            told.into()
        }
        _ if by_the_cluster(conn) => LockError::rolled_back_by_cluster().into(),
        _ => LockError::Aborted.into(),
    }
}

/// Whether a cluster has rolled the transaction back, and nothing of it was committed: then it can be run again.
fn by_the_cluster<Conn: LockConnection>(conn: &mut Conn) -> bool {
    Conn::Backend::RESCUE.is_some_and(|rescue| has_a_row(conn, rescue.ask_cluster) == Ok(true))
}

/// Fails if the transaction that is to be open is not.
pub(super) fn check<Conn: LockConnection>(conn: &mut Conn) -> Result<(), LockError> {
    let Some(rescue) = Conn::Backend::RESCUE else { return Ok(()) };
    let open = conn.execute_returning_count(&(rescue.check_open)());
    heed(conn, open).map(drop).map_err(|error| match LockError::of_locking_statement(error) {
        LockError::Query(DieselError::DatabaseError(..)) => LockError::rolled_back_by_cluster(),
        error => error,
    })
}

fn has_a_row<Conn: LockConnection>(
    conn: &mut Conn,
    question: fn() -> Statement<'static, Conn::Backend>,
) -> QueryResult<bool> {
    let mut has = false;
    each_row(conn, question(), |_: &RowRef<'_, Conn::Backend>| {
        has = true;
        Ok(())
    })?;
    Ok(has)
}
