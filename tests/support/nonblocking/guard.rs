//! The guard of an advisory lock, as the tests for blocking connections use it.

use std::ops::{Deref, DerefMut};

use diesel_lockset::{
    bounds::SupportsAdvisory,
    markers::Exclusive,
    nonblocking::{AdvisoryGuard, LockConnection},
};

use super::block_on;

/// A guard that releases its lock when it is dropped, by waiting for [`AdvisoryGuard::release`].
///
/// `AdvisoryGuard` cannot, since `drop` cannot await: it marks the connection as broken then. Tests of that are in `tests/faults`.
#[derive(Debug)]
pub(crate) struct Guard<'c, Conn: LockConnection<Backend: SupportsAdvisory<Exclusive>>>(
    Option<AdvisoryGuard<'c, Conn>>,
);

impl<'c, Conn: LockConnection<Backend: SupportsAdvisory<Exclusive>>> Guard<'c, Conn> {
    pub(super) fn new(guard: AdvisoryGuard<'c, Conn>) -> Self {
        Guard(Some(guard))
    }

    pub(crate) fn release(mut self) -> bool {
        self.0.take().is_some_and(|guard| block_on(guard.release()))
    }
}

impl<Conn: LockConnection<Backend: SupportsAdvisory<Exclusive>>> Drop for Guard<'_, Conn> {
    fn drop(&mut self) {
        if let Some(guard) = self.0.take() {
            block_on(guard.release());
        }
    }
}

impl<Conn: LockConnection<Backend: SupportsAdvisory<Exclusive>>> Deref for Guard<'_, Conn> {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        self.0.as_deref().expect("a guard that was not released")
    }
}

impl<Conn: LockConnection<Backend: SupportsAdvisory<Exclusive>>> DerefMut for Guard<'_, Conn> {
    fn deref_mut(&mut self) -> &mut Conn {
        self.0.as_deref_mut().expect("a guard that was not released")
    }
}
