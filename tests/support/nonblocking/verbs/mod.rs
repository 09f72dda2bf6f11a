//! The verbs of `diesel_lockset::nonblocking`, each blocked on: the names and arguments of the blocking verbs of the crate's root.

mod advisory;
mod transaction;

use diesel::{
    dsl::Limit,
    query_builder::{AsChangeset, AsQuery, QueryFragment},
    query_dsl::methods::LimitDsl,
    result::Error as DieselError,
};
use diesel_lockset::{
    LockError, LockTarget, Lockable,
    bounds::{ClaimFrom, IntoKey, LockingBackend, PickFrom},
    nonblocking::{self, LoadLocked, LockConnection},
};

use super::block_on;

#[allow(unused_imports, reason = "each part of the suite uses what it needs")]
pub(crate) use self::{advisory::RunAdvisoryLock, transaction::RunLockTransaction};

pub(crate) trait RunLockSet<DB: LockingBackend>: nonblocking::RunLockSet<DB> {
    fn lock<Conn: LockConnection<Backend = DB>>(self, conn: &mut Conn) -> Result<Self::Output, LockError> {
        block_on(nonblocking::RunLockSet::lock(self, conn))
    }
}

impl<DB: LockingBackend, S: nonblocking::RunLockSet<DB>> RunLockSet<DB> for S {}

pub(crate) trait LockDsl: nonblocking::LockDsl {
    fn lock<Conn>(&self, conn: &mut Conn) -> Result<Self, LockError>
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>,
    {
        block_on(nonblocking::LockDsl::lock(self, conn))
    }

    fn lock_by_id<Conn>(id: impl IntoKey<Self::Key>, conn: &mut Conn) -> Result<Self, LockError>
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>,
    {
        block_on(<Self as nonblocking::LockDsl>::lock_by_id(id, conn))
    }

    fn with_lock<Conn, R, E>(
        &self,
        conn: &mut Conn,
        f: impl FnOnce(Self, &mut Conn) -> Result<R, E> + Send,
    ) -> Result<R, E>
    where
        Conn: LockConnection,
        Self: LockTarget<Conn::Backend>,
        R: Send,
        E: From<LockError> + From<DieselError> + Send,
    {
        block_on(nonblocking::LockDsl::with_lock(self, conn, async move |row, conn: &mut Conn| f(row, conn)))
    }
}

impl<T: Lockable> LockDsl for T {}

pub(crate) trait RunLockQuery<Conn: LockConnection>: nonblocking::RunLockQuery<Conn> {
    fn load<U: Send>(self, conn: &mut Conn) -> Result<Vec<U>, LockError>
    where
        Self: LoadLocked<Conn, U>,
    {
        block_on(nonblocking::RunLockQuery::load(self, conn))
    }

    fn get_results<U: Send>(self, conn: &mut Conn) -> Result<Vec<U>, LockError>
    where
        Self: LoadLocked<Conn, U>,
    {
        block_on(nonblocking::RunLockQuery::get_results(self, conn))
    }

    fn get_result<U: Send>(self, conn: &mut Conn) -> Result<U, LockError>
    where
        Self: LoadLocked<Conn, U>,
    {
        block_on(nonblocking::RunLockQuery::get_result(self, conn))
    }

    fn first<U: Send>(self, conn: &mut Conn) -> Result<U, LockError>
    where
        Self: LimitDsl,
        Limit<Self>: nonblocking::RunLockQuery<Conn> + LoadLocked<Conn, U>,
    {
        block_on(nonblocking::RunLockQuery::first(self, conn))
    }
}

impl<Conn: LockConnection, Q: nonblocking::RunLockQuery<Conn>> RunLockQuery<Conn> for Q {}

pub(crate) trait PickDsl<Conn: LockConnection>: nonblocking::PickDsl<Conn> {
    fn pick_next<T>(self, conn: &mut Conn) -> Result<Option<T>, LockError>
    where
        Self::Query: PickFrom<T, Conn::Backend, Picks: Send>,
        T: Send,
    {
        block_on(nonblocking::PickDsl::pick_next(self, conn))
    }

    fn pick<T>(self, n: u32, conn: &mut Conn) -> Result<Vec<T>, LockError>
    where
        Self::Query: PickFrom<T, Conn::Backend, Picks: Send>,
        T: Send,
    {
        block_on(nonblocking::PickDsl::pick(self, n, conn))
    }

    fn claim<T, C>(self, n: u32, changes: C, conn: &mut Conn) -> Result<Vec<T>, LockError>
    where
        T: Lockable,
        C: AsChangeset<Target = T::Table, Changeset: QueryFragment<Conn::Backend>>,
        Self::Query: ClaimFrom<T, Conn::Backend, C::Changeset, Claims: Send>,
    {
        block_on(nonblocking::PickDsl::claim(self, n, changes, conn))
    }
}

impl<Conn: LockConnection, Q: AsQuery> PickDsl<Conn> for Q {}
