//! Asks the server for the state of the transaction in front of the statement that ends it, in one text, so that the question costs no
//! round trip. For connections that do not report the state.
//!
//! The server does not execute the rest of a text in which a statement has failed. So an aborted transaction is not ended, and is rolled
//! back by the caller. An error does not say which statement of the text has failed, and its message is in the language of the server. So
//! after an error the server is asked once more: where the probe alone fails with the same message, it was the probe.

use std::num::NonZeroU32;

use diesel::result::{DatabaseErrorKind, Error as DieselError, QueryResult};

use super::{driver::Driver, implicit_rollback::lost, mark_broken::mark_broken, session_state::marked};
use crate::{
    backend::{CommitBy, Probe},
    diesel_internals::transaction_ended,
    error::{LockError, is_connection_lost},
};

/// Commits the innermost transaction, which was begun at this depth, or releases its savepoint. If that fails and the transaction is still
/// open, it is still counted: the caller rolls it back.
pub(super) async fn end<D, E>(
    driver: &mut D,
    probe: &'static Probe,
    depth: NonZeroU32,
    by: Option<CommitBy>,
) -> Result<(), E>
where
    D: Driver,
    E: From<LockError> + From<DieselError>,
{
    let outermost = depth == NonZeroU32::MIN;
    let last = match by {
        Some(CommitBy::Text(text)) => text,
        Some(CommitBy::Statement(text)) => text.to_owned(),
        None if outermost => "COMMIT".to_owned(),
        None => format!("RELEASE SAVEPOINT diesel_savepoint_{}", depth.get() - 1),
    };
    let Err(error) = driver.commit_by(CommitBy::Text(format!("{}; {last}", probe.is_whole))).await else {
        driver.forget_note();
        return Ok(());
    };
    if !outermost {
        if !is_connection_lost(&error) && fails_with(driver, probe, &error).await == Some(true) {
            return Err(lost(error, driver).await);
        }
        return Err(match LockError::of_locking_statement(error) {
            LockError::Query(error) => error.into(),
            told => told.into(),
        });
    }
    if !is_connection_lost(&error) {
        match is_its_own(driver, probe, &error).await {
            Some(true) => return Err(lost(error, driver).await),
            // A `COMMIT` that failed has rolled back.
            Some(false) => transaction_ended(driver.status())?,
            None => mark_broken(driver).await,
        }
    }
    Err(LockError::of_commit(error).map_or_else(E::from, E::from))
}

/// Returns whether an error of the text with the `COMMIT` is the probe's, so that nothing is committed. `None` if it cannot be found out.
async fn is_its_own<D: Driver>(driver: &mut D, probe: &Probe, error: &DieselError) -> Option<bool> {
    let is_aborted = ask(driver, probe.is_not_aborted).await?.is_err();
    Some(is_aborted || fails_with(driver, probe, error).await?)
}

/// Returns whether the probe alone fails with the message of this error. Diesel has no name for the errors of a probe.
async fn fails_with<D: Driver>(driver: &mut D, probe: &Probe, error: &DieselError) -> Option<bool> {
    let DieselError::DatabaseError(DatabaseErrorKind::Unknown, first) = error else { return Some(false) };
    Some(match ask(driver, probe.is_whole).await? {
        Err(DieselError::DatabaseError(_, again)) => again.message() == first.message(),
        _ => false,
    })
}

/// The largest number of times that a text is sent, if it is cancelled each time.
const TRIES: usize = 8;

/// Returns the server's answer to a text. `None` if there is none: the connection is lost, or each try was cancelled. A cancellation says
/// nothing about the transaction: it may be one that was meant for the `COMMIT`, and that came after it.
async fn ask<D: Driver>(driver: &mut D, text: &'static str) -> Option<QueryResult<()>> {
    for _ in 0..TRIES {
        match marked!(driver, driver.batch(text)) {
            Err(error) if is_connection_lost(&error) => return None,
            Err(error) => match LockError::of_commit(error) {
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            },
            Ok(()) => return Some(Ok(())),
        }
    }
    None
}

/// Ends the innermost transaction by a text, and records it as Diesel's transaction manager does.
#[cfg(feature = "async")]
pub(crate) async fn commit_by_text<D: Driver>(driver: &mut D, text: &str) -> QueryResult<()> {
    let depth = driver.depth()?.ok_or(DieselError::NotInTransaction)?;
    // The instrumentation may panic, too.
    marked!(driver, async {
        driver.instrumentation().on_connection_event(crate::diesel_internals::commit_event(depth));
        driver.batch(text).await
    })?;
    transaction_ended(driver.status())
}
