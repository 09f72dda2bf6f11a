//! Advisory locks that last as long as a transaction, on servers that do not release them by themselves: they are released
//! when a transaction that this crate has begun is over.
//!
//! Of the end of a transaction that was begun elsewhere nobody tells us.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use super::{connection::LockConnection, give_up::give_up, rows::each_row, watch::address};
use crate::{advisory::AdvisoryName, backend::LockingBackend, diesel_internals::RowRef};

struct Open {
    connection: usize,
    names: Vec<AdvisoryName>,
}

thread_local! {
    static OPEN: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
}

/// Runs an outermost transaction, and releases afterwards what was to last until its end.
pub(super) fn after<Conn: LockConnection, R>(conn: &mut Conn, transaction: impl FnOnce(&mut Conn) -> R) -> R {
    OPEN.with_borrow_mut(|all| all.push(Open { connection: address(conn), names: Vec::new() }));
    let outcome = catch_unwind(AssertUnwindSafe(|| transaction(conn)));
    let open = OPEN.with_borrow_mut(Vec::pop);
    for name in open.into_iter().flat_map(|open| open.names) {
        release(&name, conn);
    }
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Whether this crate will see the end of the open transaction.
pub(super) fn is_ours<Conn>(conn: &Conn) -> bool {
    OPEN.with_borrow(|all| all.iter().any(|open| open.connection == address(conn)))
}

/// Has a lock released at that end. It must be [ours](is_ours).
pub(super) fn release_then<Conn>(name: &AdvisoryName, conn: &Conn) {
    OPEN.with_borrow_mut(|all| {
        if let Some(open) = all.iter_mut().rev().find(|open| open.connection == address(conn)) {
            open.names.push(name.clone());
        }
    });
}

/// A session that lives on with the lock, in a pool, must not be: if it cannot be released, the connection is given up.
fn release<Conn: LockConnection>(name: &AdvisoryName, conn: &mut Conn) {
    let Some(statement) = <Conn::Backend as LockingBackend>::release(name.in_all_forms()) else { return };
    let released = catch_unwind(AssertUnwindSafe(|| each_row(conn, statement, |_: &RowRef<'_, Conn::Backend>| Ok(()))));
    if !matches!(released, Ok(Ok(()))) {
        give_up(conn);
    }
    if let Err(panic) = released {
        resume_unwind(panic);
    }
}
