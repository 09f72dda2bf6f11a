//! One row that is not waited for at any price: `account.no_wait()`, `account.timeout(..)`.

use std::{fmt, marker::PhantomData};

use crate::{lockable::Lockable, mode::Patience};

/// One row with a say about waiting, made by [`LockDsl`](crate::LockDsl); [`lock`](crate::RunPatientRow::lock) locks it.
#[must_use = "nothing is locked until `lock` is called"]
pub struct PatientRow<T: Lockable, W> {
    pub(crate) id: T::Key,
    pub(crate) patience: Patience,
    pub(crate) name_holders: bool,
    words: PhantomData<fn() -> W>,
}

impl<T: Lockable, W> PatientRow<T, W> {
    pub(crate) fn new(id: T::Key, patience: Patience) -> Self {
        PatientRow { id, patience, name_holders: false, words: PhantomData }
    }

    /// If the row is held, the error says by whom: [`LockSet::name_holders`](crate::LockSet::name_holders).
    pub fn name_holders(mut self) -> Self {
        self.name_holders = true;
        self
    }
}

impl<T: Lockable, W> fmt::Debug for PatientRow<T, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PatientRow { id, patience, .. } = self;
        f.debug_struct("PatientRow").field("model", &T::TYPE_NAME).field("id", id).field("patience", patience).finish()
    }
}
