//! A request to lock one row under a wait policy: `account.no_wait()`, `Account::by_id(1).timeout(..)`.

use std::{fmt, marker::PhantomData, time::Duration};

use super::Lockable;
use crate::{
    markers::{Blocking, NoWait, SkipLocked, Timeout},
    mode::WaitPolicy,
};

/// A request to lock one row under a wait policy, built by the methods of [`Lockable`](trait@crate::Lockable).
///
/// [`lock`](crate::RunLockSet::lock) locks the row.
#[must_use = "nothing is locked until `lock` is called"]
pub struct RowRequest<T: Lockable, W> {
    pub(crate) id: T::Key,
    pub(crate) wait_policy: WaitPolicy,
    pub(crate) name_holders: bool,
    policy: PhantomData<fn() -> W>,
}

impl<T: Lockable, W> RowRequest<T, W> {
    pub(crate) fn new(id: T::Key, wait_policy: WaitPolicy) -> Self {
        RowRequest { id, wait_policy, name_holders: false, policy: PhantomData }
    }

    /// Makes the error name the sessions that hold the row: see [`LockSet::name_holders`](crate::LockSet::name_holders).
    pub fn name_holders(mut self) -> Self {
        self.name_holders = true;
        self
    }
}

impl<T: Lockable> RowRequest<T, Blocking> {
    /// Locks the row at once or not at all: as [`Lockable::no_wait`].
    pub fn no_wait(self) -> RowRequest<T, NoWait> {
        self.with_policy(WaitPolicy::NoWait)
    }

    /// Locks the row unless another session holds it: as [`Lockable::skip_locked`].
    pub fn skip_locked(self) -> RowRequest<T, SkipLocked> {
        self.with_policy(WaitPolicy::SkipLocked)
    }

    /// Waits at most this long: as [`Lockable::timeout`].
    pub fn timeout(self, timeout: impl Into<Option<Duration>>) -> RowRequest<T, Timeout> {
        self.with_policy(WaitPolicy::timeout(timeout))
    }

    /// Waits as the policy says, which is known at run time only: as [`Lockable::wait`].
    pub fn wait(self, policy: WaitPolicy) -> RowRequest<T, WaitPolicy> {
        self.with_policy(policy.normalized())
    }

    fn with_policy<W>(self, wait_policy: WaitPolicy) -> RowRequest<T, W> {
        let RowRequest { id, name_holders, .. } = self;
        RowRequest { id, wait_policy, name_holders, policy: PhantomData }
    }
}

impl<T: Lockable, W> fmt::Debug for RowRequest<T, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RowRequest { id, wait_policy, .. } = self;
        f.debug_struct("RowRequest")
            .field("model", &T::TYPE_NAME)
            .field("id", id)
            .field("wait_policy", wait_policy)
            .finish()
    }
}
