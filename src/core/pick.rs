//! Runs picks and claims: takes the next free rows of a query.

use diesel::result::Error as DieselError;

#[cfg(feature = "tracing")]
use super::trace;
use super::{
    catch::catch,
    driver::Driver,
    implicit_rollback::{self, check_rollback},
    send::send,
    session_state::marked,
    single_writer::is_open,
    snapshot::refuse_old_snapshot,
    trace::traced,
    transaction::{begin_of_ours, end},
};
use crate::{
    backend::{CommitBy, LockingBackend},
    error::{LockError, Result},
    mode::Isolation,
    pick::Picks,
};

/// Runs a pick in the open transaction.
pub(crate) async fn pick<D: Driver, T>(driver: &mut D, picks: Result<impl Picks<D::DB, T>>) -> Result<Vec<T>> {
    traced!(driver, trace::Call::pick(table(&picks), false), pick_in(driver, picks).await)
}

async fn pick_in<D: Driver, T>(driver: &mut D, picks: Result<impl Picks<D::DB, T>>) -> Result<Vec<T>> {
    if !is_open(driver).await? {
        return Err(LockError::NotInTransaction);
    }
    let picks = picks?;
    if picks.asks_again() {
        refuse_old_snapshot(driver).await?;
    }
    run(driver, picks, LockError::of_locking_statement).await
}

/// Runs a claim of one statement, in a transaction or by itself.
pub(crate) async fn claim<D: Driver, T>(driver: &mut D, picks: Result<impl Picks<D::DB, T>>) -> Result<Vec<T>> {
    traced!(driver, trace::Call::pick(table(&picks), true), claim_now(driver, picks).await)
}

/// Returns the table whose rows are picked, if the query is not refused.
#[cfg(feature = "tracing")]
fn table<DB: LockingBackend, T>(picks: &Result<impl Picks<DB, T>>) -> Option<&str> {
    picks.as_ref().ok().map(|picks| picks.table().quoted())
}

async fn claim_now<D: Driver, T>(driver: &mut D, picks: Result<impl Picks<D::DB, T>>) -> Result<Vec<T>> {
    // Fails if the connection is marked as broken.
    let nested = is_open(driver).await?;
    let picks = picks?;
    if picks.claims_in_steps() {
        return claim_in_steps(driver, picks).await;
    }
    let class = if nested { LockError::of_locking_statement } else { LockError::of_autocommitted_statement };
    run(driver, picks, class).await
}

/// Runs a claim of several statements in a transaction of its own, or in a savepoint of the open one. Its rows are its own only as long as
/// they are locked, so the change and the commit fail if the transaction is not open any more.
async fn claim_in_steps<D: Driver, T>(driver: &mut D, picks: impl Picks<D::DB, T>) -> Result<Vec<T>> {
    let (nested, asks_again) = (driver.depth()?.is_some(), picks.asks_again());
    let isolation = (asks_again && !nested).then_some(Isolation::ReadCommitted);
    let mut begun = begin_of_ours(driver, isolation).await?;
    let control = D::DB::PREPARED_CONTROL;
    let checked = begun.commit_by(driver, || control.map(|control| CommitBy::Statement(control.commit_open)));
    let outcome = catch(async {
        if asks_again && nested {
            refuse_old_snapshot(driver).await?;
        }
        let rows = run(driver, picks, LockError::of_locking_statement).await?;
        if !checked {
            implicit_rollback::check(driver).await?;
        }
        Ok(rows)
    })
    .await;
    end(driver, begun, outcome).await
}

async fn run<D: Driver, T>(
    driver: &mut D,
    mut picks: impl Picks<D::DB, T>,
    class: fn(DieselError) -> LockError,
) -> Result<Vec<T>> {
    loop {
        let Some(step) = picks.next_step() else { break };
        let sent = match D::DB::SINGLE_WRITER {
            // A plan changes a setting of the session by itself.
            Some(_) => marked!(driver, send(driver, step)),
            None => send(driver, step).await,
        };
        match check_rollback(driver, sent).await.map_err(class) {
            Ok(()) => picks.step_done()?,
            Err(error) => picks.recover(error).map_err(|error| error.of_tables(&[picks.table().both()]))?,
        }
    }
    Ok(picks.finish())
}
