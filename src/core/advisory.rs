//! Advisory locks: taken, released, asked about.

use diesel::result::QueryResult;

use super::{driver::Driver, mark_broken::mark_broken, session_state::marked, timer::Timer};
use crate::{
    advisory::{AdvisoryLock, AdvisoryMode, AdvisoryName},
    backend::{AdvisoryCall, Clock, HasAdvisoryLocks, LockingBackend, sink},
    error::{Attempt, LockError, Result, RowName},
    key::RowKey,
    mode::WaitPolicy,
};

/// Whether a lock was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Yes,
    No,
}

/// How long a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// Until it is released.
    Session,
    /// Until the open transaction ends.
    Transaction,
}

/// Takes a lock. That somebody else has it is an error where it `must` be had.
pub(crate) async fn take<M, D>(lock: &AdvisoryLock<M>, span: Span, driver: &mut D, must: bool) -> Result<Taken>
where
    M: AdvisoryMode,
    D: Driver<DB: HasAdvisoryLocks>,
{
    let nested = driver.depth()?.is_some();
    let (try_lock, wait_and_lock) = match span {
        Span::Session => (AdvisoryCall::TryLock, AdvisoryCall::Lock),
        Span::Transaction if nested => (AdvisoryCall::TryLockForTransaction, AdvisoryCall::LockForTransaction),
        Span::Transaction => return Err(LockError::NotInTransaction),
    };
    let name = (lock.name(), M::SHARED);
    let wait_policy =
        if must || lock.wait_policy() != WaitPolicy::Block { lock.wait_policy() } else { WaitPolicy::NoWait };
    let mut timer = Timer::<D::DB>::start(wait_policy);
    if wait_policy != WaitPolicy::Block {
        let free = ask(try_lock, name, driver).await.map_err(|error| timer.class(error))?;
        match wait_policy {
            _ if free => return Ok(Taken::Yes),
            WaitPolicy::Timeout(_) => {}
            _ => return if must { Err(contended(lock.name())) } else { Ok(Taken::No) },
        }
    }
    // A limit is put back by the end of a transaction, or of a savepoint, which the lock outlives. An error in an open
    // transaction would abort it, and an aborted one answers no questions about a lock that does not end with it. Where
    // the limit outlives a rollback, an error undoes its own statement only.
    let rolls_back = !<<D::DB as LockingBackend>::Clock as Clock<_>>::OUTLIVES_A_ROLLBACK;
    let guarded = rolls_back && (timer.is_limited() || (nested && span == Span::Session));
    let Err(error) = wait(&mut timer, guarded, driver, wait_and_lock, name).await else { return Ok(Taken::Yes) };
    // The server may have ended the wait when it had just got the lock. It was not ours before, or there was no wait.
    let session = span == Span::Session && !matches!(error, LockError::ConnectionLost(_));
    if session && ask(AdvisoryCall::IsMine, name, driver).await == Ok(true) {
        return Ok(Taken::Yes);
    }
    match error {
        LockError::TimedOut { .. } if !must => Ok(Taken::No),
        error => {
            let rolled_back = nested && guarded && !driver.is_aborted();
            Err(error.at(|| Attempt::at_advisory_lock(lock.name().text(), timer.elapsed(), rolled_back)))
        }
    }
}

/// A lock's name, and whether it is shared.
type Name<'n> = (&'n AdvisoryName, bool);

/// Waits within the time that there is; if `guarded`, in a transaction or savepoint that is undone if the wait fails.
async fn wait<D: Driver<DB: HasAdvisoryLocks>>(
    timer: &mut Timer<D::DB>,
    guarded: bool,
    driver: &mut D,
    call: AdvisoryCall,
    name: Name<'_>,
) -> Result<()> {
    if !guarded {
        let waited = until_taken(timer, driver, call, name).await;
        if timer.restore(driver).await.is_err() {
            // What a pool hands out must not have a limit that nobody asked for.
            mark_broken(driver).await;
        }
        return waited;
    }
    driver.begin().await?;
    let waited = match until_taken(timer, driver, call, name).await {
        Ok(()) => timer.restore(driver).await,
        failed => failed,
    };
    match waited {
        Ok(()) => Ok(driver.commit().await?),
        Err(error) => {
            // What went wrong first says more; Diesel marks the connection as broken.
            let _ = driver.rollback().await;
            Err(error)
        }
    }
}

async fn until_taken<D: Driver<DB: HasAdvisoryLocks>>(
    timer: &mut Timer<D::DB>,
    driver: &mut D,
    call: AdvisoryCall,
    name: Name<'_>,
) -> Result<()> {
    timer.limit(driver).await?;
    while !ask(call, name, driver).await.map_err(|error| timer.class(error))? {}
    Ok(())
}

/// Releases a lock once; whether it was held.
///
/// There is nobody to tell if that fails. What must not happen is that the session lives on with it, in a pool: then the
/// session is ended, or the connection marked as broken so that a pool ends it. It stays marked if the driver panics, as one that
/// blocks on futures does inside of an asynchronous runtime.
pub(crate) async fn release<D>(name: &AdvisoryName, shared: bool, driver: &mut D) -> bool
where
    D: Driver<DB: HasAdvisoryLocks>,
{
    let name = (name, shared);
    match ask(AdvisoryCall::Unlock, name, driver).await {
        // The session may have gone to another database since: whatever it holds ends with it.
        Ok(false) if D::DB::NAMES_CHANGE => {
            mark_broken(driver).await;
            return false;
        }
        Ok(held) => return held,
        Err(_) => {}
    }
    // Somebody may have left a transaction behind that Diesel does not know of and the server has given up.
    if matches!(driver.depth(), Ok(None)) && driver.batch("ROLLBACK").await.is_ok() {
        if let Ok(held) = ask(AdvisoryCall::Unlock, name, driver).await {
            return held;
        }
    }
    mark_broken(driver).await;
    false
}

/// Releases a lock that was to last as long as a transaction, where the server does not by itself. A session that lives on with it, in a
/// pool, must not be: if it cannot be released, the connection is given up.
pub(super) async fn release_for_transaction<D: Driver>(driver: &mut D, name: &AdvisoryName) {
    let Some(release) = D::DB::RELEASE else { return };
    if marked!(driver, driver.rows(release(name.in_all_forms()), sink(|_| Ok(())))).is_err() {
        mark_broken(driver).await;
    }
}

/// Whether anybody holds the lock.
pub(crate) async fn is_held<M, D>(name: &AdvisoryName, driver: &mut D) -> Result<bool>
where
    M: AdvisoryMode,
    D: Driver<DB: HasAdvisoryLocks>,
{
    ask(AdvisoryCall::IsHeld, (name, M::SHARED), driver).await.map_err(LockError::of_locking_statement)
}

async fn ask<D>(call: AdvisoryCall, (name, shared): Name<'_>, driver: &mut D) -> QueryResult<bool>
where
    D: Driver<DB: HasAdvisoryLocks>,
{
    let mut answer = Err(D::DB::no_advisory_answer());
    // A deadlock among the locks of sessions undoes nothing but its statement. MariaDB has the code of a deadlock of rows for it,
    // from which Diesel would conclude that the transaction is lost; under the mark it does not.
    let read = sink(|row| {
        answer = D::DB::advisory_answer(call, row);
        Ok(())
    });
    let asked = marked!(driver, driver.rows(D::DB::advisory(call, name.in_all_forms(), shared), read));
    asked.and(answer)
}

/// Not had without waiting.
pub(crate) fn contended(name: &AdvisoryName) -> LockError {
    let row = RowName::new("advisory lock", "", RowKey::new(name.text().to_owned()));
    LockError::Contended { rows: vec![row], holders: Vec::new(), source: None }
}
