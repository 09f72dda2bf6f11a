//! Recovers from implicit rollbacks: the server rolls a transaction back by itself and goes on in autocommit. This file decides when a
//! statement is sent, the backend decides which.

use diesel::result::{Error as DieselError, QueryResult};

use super::{driver::Driver, mark_broken::mark_broken, session_state::marked, single_writer};
use crate::{
    backend::{ImplicitRollback, LockingBackend, sink},
    diesel_internals::{Statement, mark_aborted},
    error::LockError,
};

/// Checks the outcome of a statement of the crate. If its error has rolled the transaction back, begins another one in its place that can
/// only be rolled back.
pub(super) async fn check_rollback<D: Driver, T>(driver: &mut D, outcome: QueryResult<T>) -> QueryResult<T> {
    if let (Err(error), Some(rules)) = (&outcome, D::DB::IMPLICIT_ROLLBACK) {
        if (rules.rolled_back)(error) || ((rules.may_roll_back)(error) && does_roll_back(driver, &rules).await) {
            placeholder(driver).await;
        }
    }
    if matches!(outcome, Err(DieselError::DatabaseError(..))) {
        // The first error says more.
        let _ = single_writer::is_lost(driver).await;
    }
    driver.note(&outcome);
    outcome
}

/// Returns whether the server rolls the transaction back after an error that undoes only the statement on most servers. If the server
/// cannot be asked, the connection is lost, and the answer is yes.
async fn does_roll_back<D: Driver>(driver: &mut D, rules: &ImplicitRollback<D::DB>) -> bool {
    let in_transaction = matches!(driver.depth(), Ok(Some(_)));
    in_transaction && has_a_row(driver, rules.ask).await.unwrap_or(true)
}

/// Checks after a nested transaction whether the outer ones are rolled back too, and keeps them from going on.
pub(super) async fn check_outer_rollback<D: Driver>(driver: &mut D) {
    if driver.is_aborted() {
        placeholder(driver).await;
    }
}

async fn placeholder<D: Driver>(driver: &mut D) {
    let (Some(rules), Ok(Some(depth))) = (D::DB::IMPLICIT_ROLLBACK, driver.depth()) else { return };
    for statement in (rules.placeholder)(depth.get() - 1) {
        if marked!(driver, driver.batch(&statement)).is_err() {
            return mark_broken(driver).await;
        }
    }
    mark_aborted(driver.status());
}

/// Keeps the outermost transaction, if the crate has begun it, from going on in autocommit after an implicit rollback.
pub(super) struct AutocommitGuard {
    armed: bool,
}

impl AutocommitGuard {
    pub(super) const NONE: AutocommitGuard = AutocommitGuard { armed: false };

    /// Arms the guard. To be called when the transaction has just begun.
    pub(super) async fn arm<D: Driver>(driver: &mut D) -> QueryResult<Self> {
        let outermost = driver.depth()?.is_some_and(|depth| depth.get() == 1);
        match D::DB::IMPLICIT_ROLLBACK {
            Some(rules) if outermost => {
                let (setting, mark) = rules.arm;
                if let Err(error) = marked!(driver, driver.execute(setting())) {
                    let (function, setting) = rules.arm_without;
                    if !error.to_string().contains(function) {
                        return Err(error);
                    }
                    marked!(driver, driver.execute(setting()))?;
                }
                marked!(driver, driver.control(mark))?;
                Ok(AutocommitGuard { armed: true })
            }
            _ => Ok(Self::NONE),
        }
    }

    /// Fails if the transaction that is about to be committed is not the one that was begun.
    pub(super) async fn check<D, E>(&self, driver: &mut D) -> Result<(), E>
    where
        D: Driver,
        E: From<LockError> + From<DieselError>,
    {
        let Some(rules) = D::DB::IMPLICIT_ROLLBACK.filter(|_| self.armed) else { return Ok(()) };
        match driver.control(rules.check).await {
            Ok(()) => Ok(()),
            Err(error) => Err(lost(error, driver).await),
        }
    }

    /// Returns whether the guard is armed.
    pub(super) fn is_armed(&self) -> bool {
        self.armed
    }

    /// Disarms the guard. To be called when the transaction has ended. If it has not, because the `ROLLBACK` itself was cancelled, the
    /// connection is marked as broken: restoring the setting would commit the transaction.
    pub(super) async fn disarm<D: Driver>(self, driver: &mut D) {
        let Some(rules) = D::DB::IMPLICIT_ROLLBACK.filter(|_| self.armed) else { return };
        if driver.depth() != Ok(None) || marked!(driver, driver.execute((rules.disarm)())).is_err() {
            mark_broken(driver).await;
        }
    }
}

/// Releases Diesel's innermost savepoint. Fails if it does not exist.
pub(super) async fn release<D, E>(driver: &mut D) -> Result<(), E>
where
    D: Driver,
    E: From<LockError> + From<DieselError>,
{
    let depth = driver.depth()?;
    let Err(error) = driver.commit().await else { return Ok(()) };
    // Diesel's manager still counts a savepoint that it could not release. Other managers do not, and keep what was done in it.
    let undone = driver.depth() == Ok(depth) && driver.rollback().await.is_ok();
    if D::DB::IMPLICIT_ROLLBACK.is_none() {
        return Err(error.into());
    }
    // The savepoint does not exist.
    if !undone {
        mark_aborted(driver.status());
    }
    Err(lost(error, driver).await)
}

/// Returns the error that the caller gets if a savepoint could not be released.
///
/// If the savepoint does not exist, the transaction was over before. A node of a cluster rolls a transaction back between two of its
/// statements, and reports a deadlock with the next one or nothing at all: that is a lost conflict, whatever the closure has returned. A
/// lost connection and a cancelled statement keep their own errors.
pub(super) async fn lost<D, E>(error: DieselError, driver: &mut D) -> E
where
    D: Driver,
    E: From<LockError> + From<DieselError>,
{
    match LockError::of_locking_statement(error) {
        LockError::ConnectionLost(error) => error.into(),
        told @ (LockError::Canceled { .. } | LockError::Deadlock { .. } | LockError::Serialization { .. }) => {
            told.into()
        }
        _ if by_the_cluster(driver).await => LockError::rolled_back_by_cluster().into(),
        _ => LockError::Aborted.into(),
    }
}

/// Returns whether a cluster has rolled the transaction back and nothing of it was committed, so that it can be run again.
async fn by_the_cluster<D: Driver>(driver: &mut D) -> bool {
    match D::DB::IMPLICIT_ROLLBACK {
        Some(rules) => has_a_row(driver, rules.ask_cluster).await == Ok(true),
        None => false,
    }
}

/// Fails if no transaction is open.
pub(super) async fn check<D: Driver>(driver: &mut D) -> Result<(), LockError> {
    let Some(rules) = D::DB::IMPLICIT_ROLLBACK else { return Ok(()) };
    let open = driver.execute((rules.check_open)()).await;
    check_rollback(driver, open).await.map(drop).map_err(|error| match LockError::of_locking_statement(error) {
        LockError::Query(DieselError::DatabaseError(..)) => LockError::rolled_back_by_cluster(),
        error => error,
    })
}

async fn has_a_row<D: Driver>(driver: &mut D, question: fn() -> Statement<'static, D::DB>) -> QueryResult<bool> {
    let mut has = false;
    let read = sink(|_| {
        has = true;
        Ok(())
    });
    driver.rows(question(), read).await?;
    Ok(has)
}
