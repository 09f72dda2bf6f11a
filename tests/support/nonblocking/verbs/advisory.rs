//! `RunAdvisoryLock`.

use diesel::result::Error as DieselError;
use diesel_lockset::{
    AdvisoryLock, LockError,
    bounds::SupportsAdvisory,
    error::Holder,
    markers::{Exclusive, Transactional},
    nonblocking::{self, LockConnection},
};

use crate::support::nonblocking::{block_on, guard::Guard};

/// The verbs of a lock.
pub(crate) trait RunAdvisoryLock<M>: nonblocking::RunAdvisoryLock<M> {
    fn hold<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E> + Send) -> Result<R, E>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>,
        R: Send,
        E: From<LockError> + From<DieselError> + Send,
    {
        block_on(nonblocking::RunAdvisoryLock::hold(self, conn, async move |conn: &mut Conn| f(conn)))
    }

    fn try_hold<Conn, R, E>(
        self,
        conn: &mut Conn,
        f: impl FnOnce(&mut Conn) -> Result<R, E> + Send,
    ) -> Result<Option<R>, E>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>,
        R: Send,
        E: From<LockError> + From<DieselError> + Send,
    {
        block_on(nonblocking::RunAdvisoryLock::try_hold(self, conn, async move |conn: &mut Conn| f(conn)))
    }

    fn hold_session<Conn, R, E>(self, conn: &mut Conn, f: impl FnOnce(&mut Conn) -> Result<R, E> + Send) -> Result<R, E>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M>>,
        R: Send,
        E: From<LockError> + From<DieselError> + Send,
    {
        block_on(nonblocking::RunAdvisoryLock::hold_session(self, conn, async move |conn: &mut Conn| f(conn)))
    }

    fn acquire<Conn: LockConnection<Backend: SupportsAdvisory<M> + SupportsAdvisory<Exclusive>>>(
        self,
        conn: &mut Conn,
    ) -> Result<Guard<'_, Conn>, LockError> {
        block_on(nonblocking::RunAdvisoryLock::acquire(self, conn)).map(Guard::new)
    }

    fn try_acquire<Conn: LockConnection<Backend: SupportsAdvisory<M> + SupportsAdvisory<Exclusive>>>(
        self,
        conn: &mut Conn,
    ) -> Result<Option<Guard<'_, Conn>>, LockError> {
        Ok(block_on(nonblocking::RunAdvisoryLock::try_acquire(self, conn))?.map(Guard::new))
    }

    fn acquire_for_transaction<Conn>(self, conn: &mut Conn) -> Result<(), LockError>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M> + SupportsAdvisory<Transactional>>,
    {
        block_on(nonblocking::RunAdvisoryLock::acquire_for_transaction(self, conn))
    }

    fn try_acquire_for_transaction<Conn>(self, conn: &mut Conn) -> Result<bool, LockError>
    where
        Conn: LockConnection<Backend: SupportsAdvisory<M> + SupportsAdvisory<Transactional>>,
    {
        block_on(nonblocking::RunAdvisoryLock::try_acquire_for_transaction(self, conn))
    }

    fn is_held<Conn: LockConnection<Backend: SupportsAdvisory<M>>>(&self, conn: &mut Conn) -> Result<bool, LockError> {
        block_on(nonblocking::RunAdvisoryLock::is_held(self, conn))
    }

    fn holders<Conn: LockConnection<Backend: SupportsAdvisory<M>>>(
        &self,
        conn: &mut Conn,
    ) -> Result<Vec<Holder>, LockError> {
        block_on(nonblocking::RunAdvisoryLock::holders(self, conn))
    }
}

impl<M> RunAdvisoryLock<M> for AdvisoryLock<M> where Self: nonblocking::RunAdvisoryLock<M> {}
