//! An advisory lock as part of a set.

use diesel::deserialize;

use crate::{
    advisory::{AdvisoryLock, AdvisoryMode, AdvisoryName},
    backend::{AdvisoryCall, HasTransactionAdvisoryLocks, LockingBackend},
    diesel_internals::{RowRef, Statement},
    error::Holder,
};

/// What a set asks of a backend about one name. Made where it is known that the backend can answer.
pub(crate) struct AdvisoryPart<DB: LockingBackend> {
    pub(crate) name: AdvisoryName,
    shared: bool,
    statement: fn(AdvisoryCall, i64, bool) -> Statement<'static, DB>,
    pub(crate) answer: fn(&RowRef<'_, DB>) -> deserialize::Result<bool>,
    holders: fn(i64) -> Statement<'static, DB>,
    pub(crate) holder: fn(&RowRef<'_, DB>) -> deserialize::Result<Holder>,
}

impl<DB: HasTransactionAdvisoryLocks> AdvisoryPart<DB> {
    pub(super) fn new<M: AdvisoryMode>(lock: &AdvisoryLock<M>) -> Self {
        AdvisoryPart {
            name: lock.name().clone(),
            shared: M::SHARED,
            statement: DB::advisory,
            answer: |row| DB::advisory_answer(row),
            holders: DB::advisory_holders,
            holder: |row| DB::advisory_holder(row),
        }
    }
}

impl<DB: LockingBackend> AdvisoryPart<DB> {
    pub(crate) fn statement(&self, call: AdvisoryCall) -> Statement<'static, DB> {
        (self.statement)(call, self.name.key(), self.shared)
    }

    pub(crate) fn holders(&self) -> Statement<'static, DB> {
        (self.holders)(self.name.key())
    }

    /// In the order in which all sets take them, each once, and exclusively if anybody asked for that.
    pub(super) fn in_order(mut parts: Vec<Self>) -> Vec<Self> {
        parts.sort_by_key(|part| (part.name.key(), part.shared));
        parts.dedup_by_key(|part| part.name.key());
        parts
    }
}
