//! Advisory locks: taken, released, asked about.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use diesel::{
    connection::{Connection, TransactionManager},
    result::QueryResult,
};

use super::{connection::LockConnection, give_up::give_up, rows::each_row, timer::Timer};
use crate::{
    advisory::{AdvisoryLock, AdvisoryMode, AdvisoryName},
    backend::{AdvisoryCall, Clock, HasAdvisoryLocks, LockingBackend},
    diesel_internals::{break_connection, is_aborted, transaction_depth, without_consequence},
    error::{Attempt, LockError, Result, RowName},
    key::RowKey,
    mode::Patience,
};

/// Whether a lock was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    No,
}

/// How long a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// Until it is released.
    Session,
    /// Until the open transaction ends.
    Transaction,
}

/// Takes a lock. That somebody else has it is an error where it `must` be had.
pub(super) fn take<M, Conn>(lock: &AdvisoryLock<M>, span: Span, conn: &mut Conn, must: bool) -> Result<Taken>
where
    M: AdvisoryMode,
    Conn: LockConnection<Backend: HasAdvisoryLocks>,
{
    let nested = transaction_depth(conn)?.is_some();
    let (try_lock, wait_and_lock) = match span {
        Span::Session => (AdvisoryCall::TryLock, AdvisoryCall::Lock),
        Span::Transaction if nested => (AdvisoryCall::TryLockForTransaction, AdvisoryCall::LockForTransaction),
        Span::Transaction => return Err(LockError::NotInTransaction),
    };
    let patience = if must || lock.patience() != Patience::Block { lock.patience() } else { Patience::NoWait };
    let mut timer = Timer::<Conn::Backend>::start(patience);
    if patience != Patience::Block {
        let free = answer::<M, Conn>(try_lock, lock.name(), conn).map_err(|error| timer.class(error))?;
        match patience {
            _ if free => return Ok(Taken::Yes),
            Patience::Timeout(_) => {}
            _ => return if must { Err(contended(lock.name())) } else { Ok(Taken::No) },
        }
    }
    // A limit is put back by the end of a transaction, or of a savepoint, which the lock outlives. An error in an open
    // transaction would abort it, and an aborted one answers no questions about a lock that does not end with it. Where
    // the limit outlives a rollback, an error undoes its own statement only.
    let rolls_back = !<<Conn::Backend as LockingBackend>::Clock as Clock<_>>::OUTLIVES_A_ROLLBACK;
    let guarded = rolls_back && (timer.is_limited() || (nested && span == Span::Session));
    let waited = wait(&mut timer, guarded, conn, |conn| {
        while !answer::<M, Conn>(wait_and_lock, lock.name(), conn)? {}
        Ok(())
    });
    let Err(error) = waited else { return Ok(Taken::Yes) };
    // The server may have ended the wait when it had just got the lock. It was not ours before, or there was no wait.
    let session = span == Span::Session && !matches!(error, LockError::ConnectionLost(_));
    if session && answer::<M, Conn>(AdvisoryCall::IsMine, lock.name(), conn) == Ok(true) {
        return Ok(Taken::Yes);
    }
    match error {
        LockError::TimedOut { .. } if !must => Ok(Taken::No),
        error => {
            let rolled_back = nested && guarded && !is_aborted(conn);
            Err(error.at(|| Attempt::at_advisory_lock(lock.name().text(), timer.elapsed(), rolled_back)))
        }
    }
}

/// Waits within the time that there is; if `guarded`, in a transaction or savepoint that is undone if the wait fails.
fn wait<Conn: LockConnection>(
    timer: &mut Timer<Conn::Backend>,
    guarded: bool,
    conn: &mut Conn,
    lock: impl FnOnce(&mut Conn) -> QueryResult<()>,
) -> Result<()> {
    if !guarded {
        let waited = timer.limit(conn).and_then(|()| lock(conn).map_err(|error| timer.class(error)));
        if timer.restore(conn).is_err() {
            // What a pool hands out must not have a limit that nobody asked for.
            give_up(conn);
        }
        return waited;
    }
    Conn::TransactionManager::begin_transaction(conn)?;
    let waited = timer.limit(conn).and_then(|()| lock(conn).map_err(|error| timer.class(error)));
    match waited.and_then(|()| timer.restore(conn)) {
        Ok(()) => Ok(Conn::TransactionManager::commit_transaction(conn)?),
        Err(error) => {
            // What went wrong first says more; Diesel marks the connection as broken.
            let _ = Conn::TransactionManager::rollback_transaction(conn);
            Err(error)
        }
    }
}

/// Releases a lock once; whether it was held.
///
/// There is nobody to tell if that fails. What must not happen is that the session lives on with it, in a pool: then the
/// session is ended, or the connection marked as broken so that a pool ends it. It is marked too if the driver panics, as one that
/// blocks on futures does inside of an asynchronous runtime; the panic goes on.
pub(super) fn release<Conn>(name: &AdvisoryName, shared: bool, conn: &mut Conn) -> bool
where
    Conn: LockConnection<Backend: HasAdvisoryLocks>,
{
    let released = catch_unwind(AssertUnwindSafe(|| release_or_break(name, shared, conn)));
    released.unwrap_or_else(|panic| {
        break_connection(conn);
        resume_unwind(panic)
    })
}

fn release_or_break<Conn>(name: &AdvisoryName, shared: bool, conn: &mut Conn) -> bool
where
    Conn: LockConnection<Backend: HasAdvisoryLocks>,
{
    let unlock = |conn: &mut Conn| ask::<Conn>(AdvisoryCall::Unlock, name, shared, conn);
    match unlock(conn) {
        // The session may have gone to another database since: whatever it holds ends with it.
        Ok(false) if <Conn as Connection>::Backend::NAMES_CHANGE => {
            give_up(conn);
            return false;
        }
        Ok(held) => return held,
        Err(_) => {}
    }
    // Somebody may have left a transaction behind that Diesel does not know of and the server has given up.
    if matches!(transaction_depth(conn), Ok(None)) && conn.batch_execute("ROLLBACK").is_ok() {
        if let Ok(held) = unlock(conn) {
            return held;
        }
    }
    give_up(conn);
    false
}

/// Whether anybody holds the lock.
pub(super) fn is_held<M, Conn>(name: &AdvisoryName, conn: &mut Conn) -> Result<bool>
where
    M: AdvisoryMode,
    Conn: LockConnection<Backend: HasAdvisoryLocks>,
{
    answer::<M, Conn>(AdvisoryCall::IsHeld, name, conn).map_err(LockError::of_locking_statement)
}

fn answer<M, Conn>(call: AdvisoryCall, name: &AdvisoryName, conn: &mut Conn) -> QueryResult<bool>
where
    M: AdvisoryMode,
    Conn: LockConnection<Backend: HasAdvisoryLocks>,
{
    ask(call, name, M::SHARED, conn)
}

fn ask<Conn>(call: AdvisoryCall, name: &AdvisoryName, shared: bool, conn: &mut Conn) -> QueryResult<bool>
where
    Conn: LockConnection<Backend: HasAdvisoryLocks>,
{
    let mut answer = Err(<Conn as Connection>::Backend::no_advisory_answer());
    let mut ask = |conn: &mut Conn| {
        each_row(conn, <Conn as Connection>::Backend::advisory(call, name.in_all_forms(), shared), |row| {
            answer = <Conn as Connection>::Backend::advisory_answer(call, row);
            Ok(())
        })
    };
    // Where locks are the session's, a deadlock among them undoes nothing but the statement. MariaDB has the code of a deadlock of
    // rows for it, from which Diesel concludes that the transaction is lost.
    if <Conn as Connection>::Backend::END_WITH_TRANSACTIONS {
        ask(conn)?
    } else {
        without_consequence(conn, &mut ask)?
    }
    answer
}

/// Not had without waiting.
pub(super) fn contended(name: &AdvisoryName) -> LockError {
    let row = RowName::new("advisory lock", "", RowKey::new(name.text().to_owned()));
    LockError::Contended { rows: vec![row], holders: Vec::new(), source: None }
}
