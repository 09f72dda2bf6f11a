//! The transitions of the table plan: chooses the next stage after the rows of a statement were read.

use super::{After, MOST_LOOKS, PgTable, Stage};
use crate::{
    backend::pg::model::Order,
    error::{LockError, LockObstacle, Result},
    mode::WaitPolicy,
    sql::RowId,
};

impl PgTable<'_> {
    /// Chooses the next stage for the models from `i` on, after the first statement.
    pub(super) fn next(&mut self, i: usize) -> Result<Stage> {
        let Some(model) = self.models.get_mut(i) else { return Ok(Stage::Done) };
        let short = model.outcome.is_short();
        let look = model.outcome.is_unsettled()
            || match self.wait_policy {
                WaitPolicy::NoWait => (!model.choices.is_empty() && short) || !model.absent().is_empty(),
                // Skipped rows are no reason for a recheck.
                WaitPolicy::SkipLocked => false,
                WaitPolicy::Block | WaitPolicy::Timeout(_) => {
                    short && model.choices.iter().any(|choice| choice.shape.limited)
                }
            };
        if look { Ok(self.look(i)) } else { self.ask_about_unknown(i) }
    }

    /// Asks the server about requested keys that match no row in Rust, if it may compare differently.
    fn ask_about_unknown(&mut self, i: usize) -> Result<Stage> {
        let model = &mut self.models[i];
        let unknown = model.unknown(self.wait_policy == WaitPolicy::SkipLocked);
        if unknown.is_empty() { self.ask_about_absent(i) } else { Ok(Stage::Same(i, model.keys(&unknown))) }
    }

    /// Searches for the requested keys that did not come back. A key is missing only if a statement did not find it that began after all
    /// waits had ended: the row may have been replaced by one with the same key. With `NoWait` the recheck has already searched.
    fn ask_about_absent(&mut self, i: usize) -> Result<Stage> {
        let model = &mut self.models[i];
        let told = self.wait_policy == WaitPolicy::NoWait || std::mem::replace(&mut model.absent_asked, true);
        let absent = if told { Vec::new() } else { model.absent() };
        self.absent_step(i, &absent, After::Next).map_or_else(|| self.put_in_order(i), Ok)
    }

    fn absent_step(&self, i: usize, absent: &[RowId], after: After) -> Option<Stage> {
        (!absent.is_empty()).then(|| Stage::Absent(i, after, self.models[i].keys(absent)))
    }

    /// Finishes model `i`: puts its rows in key order, or asks the server for the order.
    pub(super) fn put_in_order(&mut self, i: usize) -> Result<Stage> {
        match self.models[i].put_in_order() {
            Order::Right => self.next(i + 1),
            Order::Unknown(keys) => Ok(Stage::Order(i, keys)),
            Order::Twice => Err(two_rows_of_one_key()),
        }
    }

    /// Chooses the stage after a recheck of model `i`.
    pub(super) fn looked(&mut self, i: usize) -> Result<Stage> {
        let model = &mut self.models[i];
        // With `SkipLocked` there is one more attempt. After that, rows that other sessions hold are left out.
        if !model.outcome.unheld().is_empty() && (self.wait_policy != WaitPolicy::SkipLocked || model.looks == 0) {
            return Ok(Stage::LockMore(i, model.lock_more()));
        }
        self.ask_about_unknown(i)
    }

    /// Chooses the stage after a lock of rows that a recheck of model `i` found.
    pub(super) fn locked_more(&mut self, i: usize) -> Result<Stage> {
        self.models[i].looks += 1;
        let after = match self.wait_policy {
            WaitPolicy::NoWait => After::Busy,
            WaitPolicy::Block | WaitPolicy::Timeout(_) => After::LimitedRowsChanged,
            WaitPolicy::SkipLocked => return Ok(self.look(i)),
        };
        let left_out = self.models[i].outcome.left_out();
        self.absent_step(i, &left_out, after).map_or_else(|| self.look_once_more(i), Ok)
    }

    /// Chooses the stage after a lock of requested keys that did not come back at first and exist.
    pub(super) fn locked_late(&mut self, i: usize) -> Result<Stage> {
        let left_out = self.models[i].outcome.left_out();
        self.absent_step(i, &left_out, After::OutOfTurn).map_or_else(|| self.ask_about_unknown(i), Ok)
    }

    /// Chooses the stage after the server has reported which of the unmatched keys belong to rows.
    pub(super) fn told_same(&mut self, i: usize) -> Result<Stage> {
        let skipped = self.models[i].outcome.take_skipped();
        match self.absent_step(i, &skipped, After::Next) {
            Some(stage) => Ok(stage),
            // Keys that the server did not find are missing, not skipped.
            None if self.wait_policy == WaitPolicy::SkipLocked => self.put_in_order(i),
            None => self.ask_about_absent(i),
        }
    }

    fn look(&mut self, i: usize) -> Stage {
        Stage::Look(i, self.models[i].look_again())
    }

    fn look_once_more(&mut self, i: usize) -> Result<Stage> {
        let model = &self.models[i];
        if model.looks <= MOST_LOOKS {
            return Ok(self.look(i));
        }
        // Without a query no row enters or leaves the set.
        Err(if model.choices.is_empty() { read_as_another_key() } else { self.moved() })
    }

    fn moved(&self) -> LockError {
        LockError::LimitedRowsChanged { table: self.name.quoted().to_owned() }
    }

    /// Chooses the stage after the search for the absent rows of model `i`.
    pub(super) fn absent(&mut self, i: usize, after: After) -> Result<Stage> {
        let model = &mut self.models[i];
        self.unlockable = model.names(model.outcome.unlockable(), &self.name);
        if !self.unlockable.is_empty() {
            return if self.may_name_policies { Ok(Stage::Policies) } else { Err(self.not_lockable()) };
        }
        match after {
            After::Next if model.outcome.take_there() => Ok(Stage::LockLate(i, model.lock_more())),
            After::Next => self.put_in_order(i),
            After::Busy => {
                let busy = model.names(model.outcome.skipped(), &self.name);
                if busy.is_empty() {
                    // The locked rows were deleted in between. The rows that the last lock statement got are still to be read.
                    return self.look_once_more(i);
                }
                self.busy.extend(busy);
                self.next(i + 1)
            }
            After::LimitedRowsChanged | After::OutOfTurn if model.outcome.take_there() => Err(self.moved()),
            // The rows were deleted in between.
            After::LimitedRowsChanged => self.look_once_more(i),
            After::OutOfTurn => self.ask_about_unknown(i),
        }
    }

    pub(super) fn not_lockable(&mut self) -> LockError {
        let (table, rows) = (self.name.quoted().to_owned(), std::mem::take(&mut self.unlockable));
        let reason = LockObstacle::RowSecurity { policies: self.policies.take() };
        LockError::NotLockable { table, rows, reason, source: None }
    }
}

/// Returns the error for a row whose key, as it was read, the server does not find.
fn read_as_another_key() -> LockError {
    let advice = "the row of a key that was asked for is there, but by the key that is read from it there is none: name the type of the \
                  column in `table!`, by which its values are read";
    LockError::Unsupported { clause: "a key that is read as another one", advice }
}

/// Returns the error for two rows with one key: a set distinguishes its rows by their keys.
pub(in crate::backend::pg) fn two_rows_of_one_key() -> LockError {
    let advice = "a table and one that inherits from it can both have a row of a key, and nobody can tell which of them is meant: \
                  lock by a key that all of them share, or make the keys differ";
    LockError::Unsupported { clause: "several rows of one key", advice }
}
