//! Locks a set over a connection of `diesel-async`.

use std::future::Future;

use super::{connection::LockConnection, driver::Nonblocking};
use crate::{
    backend::LockingBackend,
    core,
    error::Result,
    lock_set::{LockSet, Locked},
};

/// Locks a set.
pub trait RunLockSet<DB: LockingBackend>: Sized {
    /// Locks all rows of the set.
    fn lock<Conn>(self, conn: &mut Conn) -> impl Future<Output = Result<Locked>> + Send
    where
        Conn: LockConnection<Backend = DB>;
}

impl<DB: LockingBackend, W: Send> RunLockSet<DB> for LockSet<'_, DB, W> {
    fn lock<Conn>(self, conn: &mut Conn) -> impl Future<Output = Result<Locked>> + Send
    where
        Conn: LockConnection<Backend = DB>,
    {
        async move { core::lock(&mut Nonblocking(conn), self).await }
    }
}
