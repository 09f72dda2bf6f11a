//! Advisory locks: what only MySQL and MariaDB have, and what other languages must agree on.

use diesel_lockset::{AdvisoryLock, LockError, RunAdvisoryLock};

use crate::support::{
    arena::ServerArena,
    driver::{MysqlBlocking, Session},
    models::Account,
    mysql::MysqlFamily,
};

mod attribute;
mod circles;
mod databases;
mod leaks;
mod migrations;
mod names;
mod statements;
mod transactions;
mod waits;

type Arena = ServerArena<MysqlFamily>;

fn account(id: i32) -> AdvisoryLock {
    AdvisoryLock::id::<Account>(id)
}

/// Whether somebody else could have the lock now.
fn free(s: &mut MysqlBlocking, lock: AdvisoryLock) -> bool {
    lock.try_acquire(s.conn()).unwrap().is_some()
}

/// A closure that does nothing.
fn nothing<C>(_: &mut C) -> Result<(), LockError> {
    Ok(())
}
