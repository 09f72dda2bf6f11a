//! Transactions on a backend with a single writer: begins them as the writer, commits them, and checks that they are still open.
//!
//! The driver's own `begin` would make a reader, which may fail to become the writer later. Its `commit` rolls back if another connection
//! still reads what is to be committed. So both statements are sent here, and Diesel's record is changed to match.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use diesel::result::{Error as DieselError, QueryResult};

use super::{driver::Driver, session_state::marked};
use crate::{
    backend::{LockingBackend, SingleWriter, sink},
    diesel_internals::{transaction_begun, transaction_ended},
    error::{LockError, Result},
};

/// The pauses between two tries. A connection without a time limit of its own fails at once when another one is the writer.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

/// Returns whether a transaction is open. Fails if Diesel's record says so and it is not: some errors roll back, and the closure may have
/// swallowed such an error.
pub(super) async fn is_open<D: Driver>(driver: &mut D) -> Result<bool> {
    if driver.depth()?.is_none() {
        return Ok(false);
    }
    if let Some(rules) = D::DB::SINGLE_WRITER {
        // The error says nothing.
        let _ = driver.batch(rules.check_open).await;
        if driver.depth()?.is_none() {
            return Err(LockError::NotInTransaction);
        }
    }
    Ok(true)
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
    let (first, longest) = PAUSES;
    let pauses = ExponentialBuilder::default().with_min_delay(first).with_max_delay(longest).with_jitter();
    for pause in pauses.without_max_times().build() {
        let Err(error) = marked!(driver, driver.batch(statement)) else { break };
        if !(rules.is_busy)(&error) {
            return Err(error);
        }
        let late = until.is_some_and(|until| Instant::now() + pause > until);
        if late || waits(driver, rules).await? {
            return Err(error);
        }
        driver.sleep(pause).await;
    }
    Ok(())
}

/// Returns whether the connection itself waits before a statement fails.
async fn waits<D: Driver>(driver: &mut D, rules: &SingleWriter<D::DB>) -> QueryResult<bool> {
    let (read, mut limit) = (rules.limit, 0);
    let answer = sink(|row| {
        limit = read(row)?;
        Ok(())
    });
    driver.rows((rules.ask_limit)(), answer).await?;
    Ok(limit > 0)
}

/// Turns the error of a `BEGIN` that has waited in vain into one that says so.
pub(super) fn class<DB: LockingBackend>(error: DieselError) -> DieselError {
    match DB::SINGLE_WRITER {
        Some(rules) if (rules.is_busy)(&error) => LockError::of_locking_statement(error).into(),
        _ => error,
    }
}
