//! Transactions on a backend with a single writer: begins them as the writer, commits them, and checks that they are still open.
//!
//! The driver's own `begin` would make a reader, which may fail to become the writer later. Its `commit` rolls back if another connection
//! still reads what is to be committed. So both statements are sent here, and Diesel's record is changed to match.
//!
//! Some errors roll the transaction back, and the server goes on in autocommit. Statements of the closure are not seen here, so each call of
//! the crate asks whether the transaction is still open. If it is not, and the crate has begun it, another one takes its place, which can
//! only be rolled back: what the closure writes after that call is not committed.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use backon::{BackoffBuilder, ExponentialBuilder};
use diesel::result::{Error as DieselError, QueryResult};

use super::{driver::Driver, mark_broken::mark_broken, registry, session_state::marked};
use crate::{
    backend::{LockingBackend, SingleWriter, sink},
    diesel_internals::{mark_aborted, transaction_begun, transaction_ended},
    error::{LockError, Result},
};

/// The pauses between two tries. A connection without a time limit of its own fails at once when another one is the writer.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

/// Returns whether a transaction is open. Fails if one was begun and is not open any more: some errors roll back, and the closure may have
/// swallowed such an error.
pub(super) async fn is_open<D: Driver>(driver: &mut D) -> Result<bool> {
    if D::DB::SINGLE_WRITER.is_some() && (driver.is_aborted() || is_lost(driver).await?) {
        return Err(LockError::NotInTransaction);
    }
    Ok(driver.depth()?.is_some())
}

/// Returns whether a single writer's transaction was rolled back by itself, and keeps one that the crate has begun from going on in
/// autocommit.
pub(super) async fn is_lost<D: Driver>(driver: &mut D) -> QueryResult<bool> {
    let Some(rules) = D::DB::SINGLE_WRITER else { return Ok(false) };
    let depth = match driver.depth()? {
        Some(depth) => {
            // The error says nothing.
            let _ = driver.batch(rules.check_open).await;
            match driver.depth()? {
                Some(_) => return Ok(false),
                None => depth,
            }
        }
        // The connection has noticed it by itself.
        None => match registry::depth_of_ours(driver) {
            Some(depth) => depth,
            None => return Ok(false),
        },
    };
    // The record stays as it was, so that those who have begun transactions can end them.
    (0..depth.get()).try_for_each(|_| transaction_begun(driver.status()))?;
    if registry::is_ours(driver) {
        replace(driver, &rules, depth).await;
    }
    Ok(true)
}

/// Begins a transaction in the place of one that the server has rolled back. It can only be rolled back.
async fn replace<D: Driver>(driver: &mut D, rules: &SingleWriter<D::DB>, depth: NonZeroU32) {
    // One that the closure has begun by itself. If there is none, this is an error.
    let _ = marked!(driver, driver.batch("ROLLBACK"));
    match marked!(driver, driver.batch(&(rules.replace)(depth.get() - 1))) {
        Ok(()) => mark_aborted(driver.status()),
        Err(_) => mark_broken(driver).await,
    }
}

/// Begins an outermost transaction as the writer. Waits for another writer as long as the connection does; if it does not wait at all, until
/// this time, or as long as it takes.
pub(super) async fn begin<D: Driver>(
    driver: &mut D,
    rules: &SingleWriter<D::DB>,
    until: Option<Instant>,
) -> QueryResult<()> {
    when_free(driver, rules, rules.begin, until).await?;
    transaction_begun(driver.status())
}

/// Commits the outermost transaction. Waits in the same way for connections that read what it is to overwrite.
pub(super) async fn commit<D: Driver>(
    driver: &mut D,
    rules: &SingleWriter<D::DB>,
    until: Option<Instant>,
) -> Result<()> {
    match when_free(driver, rules, rules.commit, until).await {
        Ok(()) => Ok(transaction_ended(driver.status())?),
        Err(error) if (rules.is_over)(&error) => {
            transaction_ended(driver.status())?;
            Err(LockError::Aborted)
        }
        Err(error) => {
            let class = if (rules.is_busy)(&error) { LockError::of_locking_statement } else { LockError::from };
            // The first error says more. If the rollback fails, Diesel marks the connection as broken.
            let _ = driver.rollback().await;
            Err(class(error))
        }
    }
}

/// Sends a statement again and again until the database is free for it.
async fn when_free<D: Driver>(
    driver: &mut D,
    rules: &SingleWriter<D::DB>,
    statement: &str,
    until: Option<Instant>,
) -> QueryResult<()> {
    let (began, (first, longest)) = (Instant::now(), PAUSES);
    let pauses = ExponentialBuilder::default().with_min_delay(first).with_max_delay(longest).with_jitter();
    for pause in pauses.without_max_times().build() {
        let Err(error) = marked!(driver, driver.batch(statement)) else { break };
        if !(rules.is_busy)(&error) {
            return Err(error);
        }
        let late = until.is_some_and(|until| Instant::now() + pause > until);
        let limit = limit(driver, rules).await?;
        if late || (!limit.is_zero() && began.elapsed() >= limit) {
            return Err(error);
        }
        driver.sleep(pause).await;
    }
    Ok(())
}

/// Returns the time that the connection itself waits before a statement fails, in most cases: it does not wait for one that it shares a
/// cache with.
async fn limit<D: Driver>(driver: &mut D, rules: &SingleWriter<D::DB>) -> QueryResult<Duration> {
    let (read, mut limit) = (rules.limit, 0);
    let answer = sink(|row| {
        limit = read(row)?;
        Ok(())
    });
    driver.rows((rules.ask_limit)(), answer).await?;
    Ok(Duration::from_millis(limit.try_into().unwrap_or_default()))
}

/// Turns the error of a `BEGIN` that has waited in vain into one that says so.
pub(super) fn class<DB: LockingBackend>(error: DieselError) -> DieselError {
    match DB::SINGLE_WRITER {
        Some(rules) if (rules.is_busy)(&error) => LockError::of_locking_statement(error).into(),
        _ => error,
    }
}
