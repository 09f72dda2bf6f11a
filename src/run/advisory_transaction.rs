//! Advisory locks that end with the transaction.

use diesel::connection::TransactionManager;

use super::{
    advisory_session::{Taken, answer, contended, failed},
    blocking::LockConnection,
    timer::Timer,
};
use crate::{
    advisory::{AdvisoryLock, AdvisoryMode},
    backend::{AdvisoryCall, HasTransactionAdvisoryLocks},
    diesel_internals::transaction_depth,
    error::{LockError, Result},
    mode::Patience,
};

/// Takes a lock for the transaction. That somebody else has it is an error where it `must` be had.
pub(super) fn take<M, Conn>(lock: &AdvisoryLock<M>, conn: &mut Conn, must: bool) -> Result<Taken>
where
    M: AdvisoryMode,
    Conn: LockConnection<Backend: HasTransactionAdvisoryLocks>,
{
    if transaction_depth(conn)?.is_none() {
        return Err(LockError::NotInTransaction);
    }
    let ask = |call, conn: &mut Conn| answer::<M, Conn>(call, lock.name(), conn);
    let patience = if must || lock.patience() != Patience::Block { lock.patience() } else { Patience::NoWait };
    let mut timer = Timer::<Conn::Backend>::start(patience);
    if patience == Patience::Block {
        let waited = ask(AdvisoryCall::LockForTransaction, conn).map_err(|error| timer.class(error));
        return waited.map(|_| Taken::Yes).map_err(|error| failed(lock.name(), &timer, false, error));
    }
    if ask(AdvisoryCall::TryLockForTransaction, conn).map_err(|error| timer.class(error))? {
        return Ok(Taken::Yes);
    }
    if patience == Patience::NoWait {
        return if must { Err(contended(lock.name())) } else { Ok(Taken::No) };
    }
    // A wait that is cut off aborts the transaction; so it is done in a savepoint, whose release keeps the lock.
    Conn::TransactionManager::begin_transaction(conn)?;
    let waited = timer.limit(conn);
    let waited = waited.and_then(|()| ask(AdvisoryCall::LockForTransaction, conn).map_err(|error| timer.class(error)));
    match waited {
        Ok(_) => {
            timer.restore(conn)?;
            Conn::TransactionManager::commit_transaction(conn)?;
            Ok(Taken::Yes)
        }
        Err(error) => {
            Conn::TransactionManager::rollback_transaction(conn)?;
            match error {
                LockError::TimedOut { .. } if !must => Ok(Taken::No),
                error => Err(failed(lock.name(), &timer, true, error)),
            }
        }
    }
}
