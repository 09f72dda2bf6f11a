//! Begins transactions and ends them as their closures ended.
//!
//! There are five differences to Diesel's `transaction`:
//!
//! - A panic of the closure rolls back before it goes on unwinding. Diesel leaves the transaction open; a connection that
//!   is used again after `catch_unwind` would go on in it.
//! - An error of the closure comes back also if the rollback fails, as it does when the connection is lost. Diesel returns
//!   the error of the rollback.
//! - If the closure returns `Ok` although the server has aborted the transaction, that is an error. Diesel commits, and the server rolls
//!   back without an error. If the connection does not record the transaction status, the server is asked; see [`probe`].
//! - A commit whose answer is missing is [`CommitUnknown`](LockError::CommitUnknown). Diesel says that the connection is lost.
//! - If the server rolls back by itself and goes on in autocommit, the statements that follow are not committed, also if the closure
//!   swallows the error. If the crate has not begun the outermost transaction, this holds from the end of this transaction on; see
//!   [`implicit_rollback`].
//!
//! The verb runs the closure between [`begin`] and [`end`], since only the verb knows whether the closure is asynchronous.

use std::{num::NonZeroU32, panic::resume_unwind, thread, time::Instant};

use diesel::result::{Error as DieselError, QueryResult};

use super::{
    advisory::release_for_transaction,
    catch::catch,
    driver::Driver,
    implicit_rollback::{self, AutocommitGuard},
    mark_broken::mark_broken,
    probe, registry,
    session_state::marked,
    single_writer,
};
use crate::{
    backend::{CommitBy, LockingBackend, Probe},
    error::LockError,
    mode::Isolation,
};

/// A transaction that was begun by the crate and has not ended.
pub(crate) struct Begun {
    /// The number of open transactions when it had begun, itself included.
    depth: NonZeroU32,
    autocommit: AutocommitGuard,
    /// True if it is the outermost one, which advisory locks may last as long as.
    outermost: bool,
    watched: bool,
    /// True if an isolation level was chosen, which the session may remember.
    isolated: bool,
    /// The time up to which a single writer waits with its `COMMIT`.
    until: Option<Instant>,
    /// The statement that commits it in place of `COMMIT`.
    commit_by: Option<CommitBy>,
}

impl Begun {
    /// Returns whether it is a savepoint.
    pub(super) fn is_nested(&self) -> bool {
        self.depth > NonZeroU32::MIN
    }

    /// Has the transaction committed by another statement than `COMMIT`. Returns false if it cannot be: it is not the outermost one, or the
    /// connection does not take the statement.
    pub(super) fn commit_by<D: Driver>(&mut self, driver: &D, by: impl FnOnce() -> Option<CommitBy>) -> bool {
        if self.depth == NonZeroU32::MIN && driver.commits_by() {
            self.commit_by = by();
        }
        self.commit_by.is_some()
    }
}

/// Begins a transaction, or a savepoint in an open one.
pub(crate) async fn begin<D, E>(driver: &mut D, isolation: Option<Isolation>) -> Result<Begun, E>
where
    D: Driver,
    E: From<DieselError>,
{
    begin_until(driver, isolation, None).await
}

async fn begin_until<D, E>(driver: &mut D, isolation: Option<Isolation>, until: Option<Instant>) -> Result<Begun, E>
where
    D: Driver,
    E: From<DieselError>,
{
    // A savepoint of SQLite's that is set outside of a transaction begins one.
    if D::DB::SINGLE_WRITER.is_some() {
        single_writer::is_open(driver).await.map_err(DieselError::from)?;
    }
    let outermost = driver.depth()?.is_none();
    let depth = begin_at(driver, isolation, until).await?;
    match AutocommitGuard::arm(driver).await {
        Ok(autocommit) => {
            if outermost {
                registry::open(driver);
            }
            let isolated = isolation.is_some();
            Ok(Begun { depth, autocommit, outermost, watched: false, isolated, until, commit_by: None })
        }
        Err(error) => {
            let _ = driver.rollback().await;
            // The guard may be half armed.
            mark_broken(driver).await;
            Err(error.into())
        }
    }
}

/// The same, with the order of the lock sets in it watched, unless an outer one is watched already. A single writer waits until this time.
pub(crate) async fn begin_watched<D, E>(
    driver: &mut D,
    isolation: Option<Isolation>,
    refuse: bool,
    until: Option<Instant>,
) -> Result<Begun, E>
where
    D: Driver,
    E: From<DieselError>,
{
    let mut begun = begin_until(driver, isolation, until).await?;
    begun.watched = registry::watch(driver, refuse);
    Ok(begun)
}

/// The same for a transaction with statements of the crate only. It needs no guard: their errors are not swallowed, and the change of a
/// claim fails by itself if the transaction is not open.
pub(super) async fn begin_of_ours<D: Driver>(driver: &mut D, isolation: Option<Isolation>) -> QueryResult<Begun> {
    let depth = begin_at(driver, isolation, None).await?;
    Ok(Begun {
        depth,
        autocommit: AutocommitGuard::NONE,
        outermost: false,
        watched: false,
        isolated: isolation.is_some(),
        until: None,
        commit_by: None,
    })
}

async fn begin_at<D: Driver>(
    driver: &mut D,
    isolation: Option<Isolation>,
    until: Option<Instant>,
) -> QueryResult<NonZeroU32> {
    if let Some(isolation) = isolation.filter(|_| D::DB::ISOLATION_COMES_FIRST) {
        isolate(driver, isolation).await?;
    }
    let begun = match D::DB::SINGLE_WRITER {
        Some(rules) if driver.depth()?.is_none() => {
            single_writer::begin(driver, &rules, until).await.map_err(single_writer::class::<D::DB>)
        }
        _ => driver.begin().await,
    };
    if let Err(error) = begun {
        if isolation.is_some() && D::DB::ISOLATION_COMES_FIRST {
            forget_next_level(driver).await;
        }
        return Err(error);
    }
    if let Some(isolation) = isolation.filter(|_| !D::DB::ISOLATION_COMES_FIRST) {
        if let Err(error) = isolate(driver, isolation).await {
            let _ = driver.rollback().await;
            return Err(error);
        }
    }
    driver.depth()?.ok_or(DieselError::NotInTransaction)
}

async fn isolate<D: Driver>(driver: &mut D, isolation: Isolation) -> QueryResult<()> {
    let Some(statement) = D::DB::isolate(isolation) else { return Ok(()) };
    marked!(driver, driver.execute(statement)).map(drop)
}

/// Takes back the level that was set for a transaction that could not be begun: the session's next transaction would have it. Servers forget
/// it at the end of a transaction, also if none is open.
async fn forget_next_level<D: Driver>(driver: &mut D) {
    let forgotten = match marked!(driver, driver.batch("ROLLBACK")) {
        Ok(()) => forget_level(driver).await,
        failed => failed,
    };
    if forgotten.is_err() {
        mark_broken(driver).await;
    }
}

/// Has the session forget the level of a transaction of the crate's, which has ended.
async fn forget_level<D: Driver>(driver: &mut D) -> QueryResult<()> {
    let Some(forget) = D::DB::FORGET_ISOLATION else { return Ok(()) };
    marked!(driver, driver.execute(forget())).map(drop)
}

/// Ends a transaction as its closure ended.
pub(crate) async fn end<D, R, E>(driver: &mut D, begun: Begun, outcome: thread::Result<Result<R, E>>) -> Result<R, E>
where
    D: Driver,
    E: From<LockError> + From<DieselError>,
{
    let (outermost, isolated) = (begun.outermost, begun.isolated && !begun.autocommit.is_armed());
    if begun.watched {
        registry::unwatch(driver);
    }
    let ended = catch(end_as(driver, begun, outcome)).await;
    if isolated && forget_level(driver).await.is_err() {
        mark_broken(driver).await;
    }
    if outermost {
        for name in registry::close(driver) {
            release_for_transaction(driver, &name).await;
        }
    }
    ended.unwrap_or_else(|panic| resume_unwind(panic))
}

async fn end_as<D, R, E>(driver: &mut D, begun: Begun, outcome: thread::Result<Result<R, E>>) -> Result<R, E>
where
    D: Driver,
    E: From<LockError> + From<DieselError>,
{
    let Begun { depth, autocommit, until, commit_by, .. } = begun;
    let (prepared, outcome) = match outcome {
        Ok(Ok(value)) => match prepare(driver, depth, &autocommit).await {
            Ok(probe) => (Some(probe), Ok(Ok(value))),
            Err(error) => (None, Ok(Err(error))),
        },
        failed => (None, failed),
    };
    let (ended, undo) = match prepared {
        Some(Some(probe)) => (probe::end(driver, probe, depth, commit_by).await, true),
        Some(None) => (commit(driver, depth, until, commit_by).await, false),
        None => (Ok(()), true),
    };
    let outcome = outcome.map(|outcome| outcome.and_then(|value| ended.map(|()| value)));
    if undo && !matches!(outcome, Ok(Ok(_))) {
        roll_back(driver, depth).await;
    }
    implicit_rollback::check_outer_rollback(driver).await;
    autocommit.disarm(driver).await;
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Releases the savepoints that the closure has left open. Fails if the server has given the transaction up, or if it is not the one
/// that was begun. Returns the probe if it is still to be sent, in front of the statement that ends the transaction.
async fn prepare<D, E>(
    driver: &mut D,
    depth: NonZeroU32,
    autocommit: &AutocommitGuard,
) -> Result<Option<&'static Probe>, E>
where
    D: Driver,
    E: From<LockError> + From<DieselError>,
{
    driver.depth()?;
    match D::DB::PROBE {
        // A note may be out of date: the closure may have rolled back to a savepoint of its own since.
        Some(probe) if driver.commits_by() && driver.depth()? == Some(depth) && !driver.tells_of_aborts() => {
            return Ok(Some(probe));
        }
        Some(probe) if !driver.tells_of_aborts() => match driver.batch(probe.is_whole).await {
            Ok(()) => driver.forget_note(),
            Err(error) => return Err(implicit_rollback::lost(error, driver).await),
        },
        _ if driver.is_aborted() => return Err(LockError::Aborted.into()),
        _ => {}
    }
    // At the end of the outermost one, the `COMMIT` says it.
    if driver.depth()?.is_none_or(|open| open.get() > 1) && single_writer::is_lost(driver).await? {
        return Err(LockError::Aborted.into());
    }
    // The check removes the savepoints that were set after its own.
    while driver.depth()?.is_some_and(|open| open > depth) {
        implicit_rollback::release::<_, E>(driver).await?;
    }
    autocommit.check::<_, E>(driver).await?;
    Ok(None)
}

/// Rolls back to before the transaction that was begun at this depth, with what a panic has left open in it.
///
/// Errors are not returned, since the first error says more. Diesel marks the connection as broken.
async fn roll_back<D: Driver>(driver: &mut D, depth: NonZeroU32) {
    while let Ok(Some(open)) = driver.depth() {
        let undone = open >= depth && driver.rollback().await.is_ok();
        if !undone {
            return;
        }
    }
}

async fn commit<D, E>(
    driver: &mut D,
    depth: NonZeroU32,
    until: Option<Instant>,
    commit_by: Option<CommitBy>,
) -> Result<(), E>
where
    D: Driver,
    E: From<LockError> + From<DieselError>,
{
    match driver.depth()? {
        // The closure has ended the transaction. It may have begun another one that Diesel does not know of.
        None => {
            // SQLite refuses it outside of a transaction.
            if driver.batch("ROLLBACK").await.is_err() && D::DB::SINGLE_WRITER.is_none() {
                mark_broken(driver).await;
            }
            Err(LockError::Aborted.into())
        }
        Some(open) if open < depth => Err(LockError::Aborted.into()),
        Some(_) if depth.get() > 1 => implicit_rollback::release(driver).await,
        Some(_) => match D::DB::SINGLE_WRITER {
            Some(rules) => Ok(single_writer::commit(driver, &rules, until).await?),
            None => {
                let committed = match commit_by {
                    Some(by) => driver.commit_by(by).await,
                    None => driver.commit().await,
                };
                committed.map_err(|error| match D::DB::PREPARED_CONTROL {
                    Some(control) if (control.is_not_open)(&error) => LockError::rolled_back_by_cluster().into(),
                    _ => LockError::of_commit(error).map_or_else(E::from, E::from),
                })
            }
        },
    }
}
