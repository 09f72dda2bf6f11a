//! Watches the order of the lock sets of a [`LockTransaction`](crate::LockTransaction).
//!
//! A set knows nothing of the transaction that it is locked in, and Diesel's connections carry nothing for us; what they
//! have in common is the thread and the address of the connection.

use std::cell::RefCell;

use crate::{
    error::{LockError, Result, RowName},
    transaction::{OrderWatch, StepBack},
};

struct Watched {
    connection: usize,
    refuse: bool,
    order: OrderWatch,
}

thread_local! {
    static WATCHED: RefCell<Vec<Watched>> = const { RefCell::new(Vec::new()) };
}

/// What is known of a connection everywhere on its thread.
pub(super) fn address<Conn>(conn: &Conn) -> usize {
    std::ptr::from_ref(conn).addr()
}

/// Runs `f` with its lock sets on `conn` watched.
pub(super) fn during<Conn, R>(conn: &mut Conn, refuse: bool, f: impl FnOnce(&mut Conn) -> R) -> R {
    /// Ends the watch also when `f` panics.
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            WATCHED.with_borrow_mut(Vec::pop);
        }
    }

    let connection = address(conn);
    // Inside another watched transaction the order goes on.
    let outer = WATCHED.with_borrow(|all| all.iter().any(|watched| watched.connection == connection));
    if outer {
        return f(conn);
    }
    WATCHED.with_borrow_mut(|all| all.push(Watched { connection, refuse, order: OrderWatch::default() }));
    let _ends = Ends;
    f(conn)
}

/// A set is about to lock rows of a table, these among them.
pub(super) fn enter<Conn>(conn: &Conn, table: &str, asked: impl FnOnce() -> Vec<RowName>) -> Result<()> {
    observe(conn, |order| order.enter(table, asked))
}

/// A set has locked rows of a table.
pub(super) fn locked<Conn>(conn: &Conn, rows: impl FnOnce() -> Vec<RowName>) -> Result<()> {
    observe(conn, |order| order.locked(&rows()))
}

fn observe<Conn>(conn: &Conn, see: impl FnOnce(&mut OrderWatch) -> Option<StepBack>) -> Result<()> {
    let connection = address(conn);
    let back = WATCHED.with_borrow_mut(|all| {
        let watched = all.iter_mut().rev().find(|watched| watched.connection == connection)?;
        Some((see(&mut watched.order)?, watched.refuse))
    });
    match back {
        Some((StepBack { after, back_to }, true)) => Err(LockError::OutOfOrder { after, back_to }),
        Some((StepBack { after, back_to }, false)) => {
            warn(&after, &back_to);
            Ok(())
        }
        None => Ok(()),
    }
}

#[cfg(feature = "tracing")]
fn warn(after: &str, back_to: &str) {
    tracing::warn!(
        after,
        back_to,
        "a lock set went back behind an earlier one of the same transaction; another transaction that does the opposite can \
         deadlock with it"
    );
}

#[cfg(not(feature = "tracing"))]
fn warn(_: &str, _: &str) {}
