//! The backend trait for the time limit of a call.

use std::time::Duration;

use diesel::{backend::Backend, result::Error as DieselError};

use super::Step;

/// Limits the statements of one call in time, by a setting of the server, and restores the setting afterwards.
#[doc(hidden)]
pub trait Clock<DB: Backend>: Default {
    /// True if a rollback does not restore the setting.
    const OUTLIVES_A_ROLLBACK: bool;

    /// Returns the batch that limits the queries about other sessions to this much time, until a rollback. It limits the wait for each lock
    /// first, since the limit of a statement is computed from catalogs, which may be locked. `None` where a rollback restores nothing.
    fn limit_until_rollback(_time: Duration) -> Option<String> {
        None
    }

    /// Returns the step that limits the statements that follow to this much time. It is sent before each of them. `None` where the plans
    /// limit their statements themselves.
    fn limit(&mut self, left: Duration) -> Option<Step<'_, DB>>;

    /// Returns whether the limit is a part of the statements of a plan, in place of the step of [`limit`](Self::limit).
    fn limits_inside(&self) -> bool {
        false
    }

    /// Makes the limit a part of a step's statement.
    fn limit_inside<'e>(&self, step: Step<'e, DB>, _left: Duration) -> Step<'e, DB> {
        step
    }

    /// Returns whether the server has refused such a statement, and done nothing. The clock [limits](Self::limit) from then on by a step.
    fn is_refused(&self, _error: &DieselError) -> bool {
        false
    }

    /// Has a step's statement restore the setting, once it is running under the limit. Returns whether it does.
    fn restore_inside<'e>(&self, step: Step<'e, DB>) -> (Step<'e, DB>, bool) {
        (step, false)
    }

    /// Notes that such a statement was answered.
    fn restored(&mut self) {}

    /// Returns the step that restores the setting, if it was changed. It is sent at the end, unless the transaction is aborted and a
    /// rollback restores the setting.
    fn restore(&mut self) -> Option<Step<'_, DB>>;
}
