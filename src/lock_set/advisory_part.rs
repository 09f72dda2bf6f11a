//! An advisory lock that is part of a lock set.

use diesel::{
    deserialize,
    result::{Error as DieselError, QueryResult},
};

use crate::{
    advisory::{AdvisoryLock, AdvisoryMode, AdvisoryName},
    backend::{AdvisoryCall, LockingBackend, SupportsAdvisory},
    diesel_internals::{RowRef, Statement},
    error::Holder,
    key::LockName,
    markers::Transactional,
};

/// One advisory lock of a set, with the functions of the backend that lock it.
///
/// It is built where `DB: SupportsAdvisory<Transactional>` is known, and used where only `DB: LockingBackend` is.
pub(crate) struct AdvisoryPart<DB: LockingBackend> {
    pub(crate) name: AdvisoryName,
    shared: bool,
    statement: for<'q> fn(AdvisoryCall, LockName<'q>, bool) -> Statement<'q, DB>,
    pub(crate) no_answer: fn() -> DieselError,
    pub(crate) answer: fn(AdvisoryCall, &RowRef<'_, DB>) -> QueryResult<bool>,
    holders: for<'q> fn(LockName<'q>) -> Statement<'q, DB>,
    pub(crate) holder: fn(&RowRef<'_, DB>) -> deserialize::Result<Holder>,
}

impl<DB: SupportsAdvisory<Transactional>> AdvisoryPart<DB> {
    pub(super) fn new<M: AdvisoryMode>(lock: &AdvisoryLock<M>) -> Self {
        AdvisoryPart {
            name: lock.name().clone(),
            shared: M::SHARED,
            statement: DB::advisory,
            no_answer: DB::no_advisory_answer,
            answer: |call, row| DB::advisory_answer(call, row),
            holders: DB::advisory_holders,
            holder: |row| DB::advisory_holder(row),
        }
    }
}

impl<DB: LockingBackend> AdvisoryPart<DB> {
    pub(crate) fn statement(&self, call: AdvisoryCall) -> Statement<'_, DB> {
        (self.statement)(call, self.name.in_all_forms(), self.shared)
    }

    pub(crate) fn holders(&self) -> Statement<'_, DB> {
        (self.holders)(self.name.in_all_forms())
    }

    /// Sorts the locks into the order in which every set takes them, each name once. A name that was added in both modes is taken
    /// exclusively.
    pub(super) fn in_order(mut parts: Vec<Self>) -> Vec<Self> {
        parts.sort_by_key(|part| (part.name.key(), part.shared));
        parts.dedup_by_key(|part| part.name.key());
        parts
    }
}
