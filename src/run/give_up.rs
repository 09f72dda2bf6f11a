//! Gives up a connection whose session must not live on: with a lock that could not be released, or a setting that could not be put
//! back.

use super::connection::LockConnection;
use crate::{backend::LockingBackend, diesel_internals::break_connection};

/// Diesel refuses the connection from here on, and a pool throws it away.
///
/// Diesel's mark alone is not enough on PostgreSQL: there it takes the connection for whole again as soon as any statement finds the
/// session outside of a transaction, so a `ROLLBACK` of somebody's, or the `SELECT 1` of a pool, would bring it back. So the
/// session itself is ended.
pub(super) fn give_up<Conn: LockConnection>(conn: &mut Conn) {
    for statement in Conn::Backend::END_SESSION {
        // The connection may be gone already.
        let _ = conn.batch_execute(statement);
    }
    break_connection(conn);
}
