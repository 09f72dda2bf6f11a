//! A request to lock one row under a wait policy: `account.no_wait()`, `account.timeout(..)`.

use std::{fmt, marker::PhantomData};

use super::Lockable;
use crate::mode::WaitPolicy;

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
