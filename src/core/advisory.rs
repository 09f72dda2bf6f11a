//! Takes and releases advisory locks, and asks about them.

use diesel::result::QueryResult;

#[cfg(feature = "tracing")]
use super::trace;
use super::{driver::Driver, mark_broken::mark_broken, session_state::marked, timer::Timer, trace::traced};
use crate::{
    advisory::{AdvisoryLock, AdvisoryMode, AdvisoryName},
    backend::{AdvisoryBackend, AdvisoryCall, Clock, LockingBackend, sink},
    error::{Attempt, LockError, Result, RowName},
    key::RowKey,
    mode::WaitPolicy,
};

/// The outcome of an attempt to take a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Yes,
    No,
}

/// The lifetime of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    /// Until it is released.
    Session,
    /// Until the open transaction ends.
    Transaction,
}

/// Takes a lock. If `must` is set, a lock that another session holds is an error.
pub(crate) async fn take<M, D>(lock: &AdvisoryLock<M>, span: Span, driver: &mut D, must: bool) -> Result<Taken>
where
    M: AdvisoryMode,
    D: Driver<DB: AdvisoryBackend>,
{
    traced!(
        driver,
        trace::Call::advisory(lock.name().text(), M::SHARED, lock.wait_policy()),
        take_now(lock, span, driver, must).await
    )
}

async fn take_now<M, D>(lock: &AdvisoryLock<M>, span: Span, driver: &mut D, must: bool) -> Result<Taken>
where
    M: AdvisoryMode,
    D: Driver<DB: AdvisoryBackend>,
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
    // Rolling back a transaction or a savepoint restores the time limit, and a lock of the session outlives it. Without a savepoint, an
    // error would abort the open transaction, which then answers no question about the lock. On servers where the limit outlives a
    // rollback, an error undoes only its own statement.
    let rolls_back = !<<D::DB as LockingBackend>::Clock as Clock<_>>::OUTLIVES_A_ROLLBACK;
    let guarded = rolls_back && (timer.is_limited() || (nested && span == Span::Session));
    let Err(error) = wait(&mut timer, guarded, driver, wait_and_lock, name).await else { return Ok(Taken::Yes) };
    // The server may have granted the lock at the moment at which it ended the wait.
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

/// The name of a lock, and true if it is shared.
type Name<'n> = (&'n AdvisoryName, bool);

/// Waits for a lock within the time limit. If `guarded`, it waits in a transaction or savepoint that is rolled back if the wait fails.
async fn wait<D: Driver<DB: AdvisoryBackend>>(
    timer: &mut Timer<D::DB>,
    guarded: bool,
    driver: &mut D,
    call: AdvisoryCall,
    name: Name<'_>,
) -> Result<()> {
    if !guarded {
        let waited = until_taken(timer, driver, call, name).await;
        if timer.restore(driver).await.is_err() {
            // A pool must not hand out a session with a time limit.
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
            // The first error says more. If the rollback fails, Diesel marks the connection as broken.
            let _ = driver.rollback().await;
            Err(error)
        }
    }
}

async fn until_taken<D: Driver<DB: AdvisoryBackend>>(
    timer: &mut Timer<D::DB>,
    driver: &mut D,
    call: AdvisoryCall,
    name: Name<'_>,
) -> Result<()> {
    timer.limit(driver).await?;
    while !ask(call, name, driver).await.map_err(|error| timer.class(error))? {}
    Ok(())
}

/// Releases a lock once. Returns whether it was held.
///
/// A failure is not returned, since its callers cannot act on it. Instead the session is ended, or the connection is marked as broken so
/// that a pool ends it: the lock must not stay on a pooled connection. The connection also stays marked if the driver panics, as
/// one that blocks on futures does inside of an asynchronous runtime.
pub(crate) async fn release<D>(name: &AdvisoryName, shared: bool, driver: &mut D) -> bool
where
    D: Driver<DB: AdvisoryBackend>,
{
    if driver.gives_up() {
        return false;
    }
    let name = (name, shared);
    match ask(AdvisoryCall::Unlock, name, driver).await {
        // The session may have changed to another database, where the lock has another name. Ending the session releases it.
        Ok(false) if D::DB::NAMES_CHANGE => {
            mark_broken(driver).await;
            return false;
        }
        Ok(held) => return held,
        Err(_) => {}
    }
    // The session may be in an aborted transaction that Diesel does not know of.
    if matches!(driver.depth(), Ok(None)) && driver.batch("ROLLBACK").await.is_ok() {
        if let Ok(held) = ask(AdvisoryCall::Unlock, name, driver).await {
            return held;
        }
    }
    mark_broken(driver).await;
    false
}

/// Releases a lock at the end of a transaction, on servers that do not do so themselves. If that fails, the connection is marked as broken.
pub(super) async fn release_for_transaction<D: Driver>(driver: &mut D, name: &AdvisoryName) {
    let Some(release) = D::DB::RELEASE.filter(|_| !driver.gives_up()) else { return };
    if marked!(driver, driver.rows(release(name.in_all_forms()), sink(|_| Ok(())))).is_err() {
        mark_broken(driver).await;
    }
}

/// Returns whether any session holds the lock.
pub(crate) async fn is_held<M, D>(name: &AdvisoryName, driver: &mut D) -> Result<bool>
where
    M: AdvisoryMode,
    D: Driver<DB: AdvisoryBackend>,
{
    // Fails if the connection is marked as broken.
    driver.depth()?;
    ask(AdvisoryCall::IsHeld, (name, M::SHARED), driver).await.map_err(LockError::of_locking_statement)
}

/// Returns whether this session holds the lock.
pub(crate) async fn is_mine<D>(name: &AdvisoryName, shared: bool, driver: &mut D) -> Result<bool>
where
    D: Driver<DB: AdvisoryBackend>,
{
    // Fails if the connection is marked as broken.
    driver.depth()?;
    ask(AdvisoryCall::IsMine, (name, shared), driver).await.map_err(LockError::of_locking_statement)
}

async fn ask<D>(call: AdvisoryCall, (name, shared): Name<'_>, driver: &mut D) -> QueryResult<bool>
where
    D: Driver<DB: AdvisoryBackend>,
{
    let mut answer = Err(D::DB::no_advisory_answer());
    // A deadlock among advisory locks undoes only its statement. MariaDB reports it with the code of a deadlock among rows, from which
    // Diesel concludes that the transaction is lost. Under the mark Diesel does not change the status.
    let read = sink(|row| {
        answer = D::DB::advisory_answer(call, row);
        Ok(())
    });
    let asked = marked!(driver, driver.rows(D::DB::advisory(call, name.in_all_forms(), shared), read));
    asked.and(answer)
}

/// Builds the error for a lock that another session holds.
pub(crate) fn contended(name: &AdvisoryName) -> LockError {
    let row = RowName::new("advisory lock", "", RowKey::new(name.text().to_owned()));
    LockError::Contended { rows: vec![row], holders: Vec::new(), source: None }
}
