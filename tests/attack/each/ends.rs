//! How a transaction or a call may end, and what the model says about it.

use std::time::Instant;

use diesel::result::Error as DieselError;
use diesel_lockset::LockError;

use super::{
    FAMILY,
    endings::is_of_sets,
    judge::Judge,
    wish::{Wait, Wish},
    world::Role,
};
use crate::{book::Rule, phases::Level};

impl Judge<'_> {
    /// An error that ended a transaction, or a try of one, and when.
    pub(super) fn met(&mut self, error: &LockError, at: Instant) {
        self.tally.endings.of_transactions.count(error);
        match error.last() {
            LockError::Deadlock { source, .. } => self.deadlock(source, at),
            LockError::Serialization { .. } if self.world.level != Level::ReadCommitted => self.tally.retryable += 1,
            LockError::LimitedRowsChanged { .. } => self.tally.retryable += 1,
            LockError::Unsupported { .. } | LockError::NotLockable { .. }
                if self.world.phase.refuses(FAMILY, self.world.level) =>
            {
                self.tally.refused += 1
            }
            LockError::Contended { .. } | LockError::TimedOut { .. } => self.tally.contended += 1,
            LockError::Missing { .. } => self.tally.missing += 1,
            // Statements by hand are not under attack: two insert the same row, a deadlock takes a savepoint with it.
            LockError::Query(error @ DieselError::DatabaseError(..)) if self.role == Role::Writer => {
                self.tally.retryable += 1;
                if self.world.settings.probes && error.to_string().contains("SAVEPOINT") {
                    self.world.probes.deadlock(at, self.witness.circle(error, self.pid));
                }
            }
            LockError::Canceled { .. }
            | LockError::ConnectionLost(_)
            | LockError::CommitUnknown(_)
            | LockError::Aborted
            | LockError::Query(DieselError::DatabaseError(..) | DieselError::BrokenTransactionManager)
                if self.world.phase.cancels() => {}
            error => self.broken(Rule::Error, "an error that can be expected", format!("{error}: {error:?}")),
        }
    }

    /// Whether a session goes on as it is after this error.
    pub(super) fn is_expected(&self, error: &LockError) -> bool {
        let says_no = matches!(
            error.last(),
            LockError::Missing { .. } | LockError::Unsupported { .. } | LockError::NotLockable { .. }
        );
        error.is_retryable() || error.is_contended() || says_no
    }

    fn deadlock(&mut self, error: &DieselError, at: Instant) {
        self.tally.deadlocks += 1;
        if self.world.settings.probes {
            let circle = self.witness.circle(error, self.pid);
            self.tally.unattributed += usize::from(circle.is_none());
            return self.world.probes.deadlock(at, circle);
        }
        if self.world.phase.is_alone() {
            return self.broken(Rule::Deadlock, "none: nobody but sets waits with a row in hand", error);
        }
        let Some(circle) = self.witness.circle(error, self.pid) else {
            self.tally.unattributed += 1;
            return;
        };
        if is_of_sets(self.world, &circle) {
            self.broken(Rule::Deadlock, "no circle of sessions that lock one set each", (circle, error));
        }
    }

    /// A call of a set failed: are the rows that it names the right ones?
    pub(super) fn refused(&mut self, wish: &Wish, error: &LockError) {
        match error {
            LockError::Missing { rows } => {
                if wish.allow_missing {
                    self.broken(Rule::Error, "missing rows in a list", error);
                }
                rows.iter().for_each(|row| self.missing(row));
            }
            LockError::Contended { rows, .. } => {
                if wish.wait != Wait::Never {
                    self.broken(Rule::Error, "to wait", error);
                }
                rows.iter().for_each(|row| self.busy(row));
            }
            _ => {}
        }
    }
}
