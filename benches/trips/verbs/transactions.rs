//! Transactions, beside Diesel's own.

use diesel::{prelude::*, result::Error};
use diesel_lockset::prelude::*;

use super::{
    Conn, inside, outside,
    tables::{Account, accounts},
};
use crate::count::Verb;

pub(super) fn verbs() -> Vec<Verb<Conn>> {
    vec![
        outside("Diesel: transaction, empty", 0, |conn| Ok(conn.transaction(|_| Ok::<_, Error>(0))?)),
        outside("Diesel: transaction, one select for_update()", 1, |conn| {
            Ok(conn.transaction(|conn| {
                accounts::table.find(1).for_update().load::<Account>(conn).map(|rows| rows.len())
            })?)
        }),
        inside("Diesel: select for_update()", 1, |conn| {
            Ok(accounts::table.find(1).for_update().load::<Account>(conn)?.len())
        }),
        outside("LockTransaction::run, empty", 0, |conn| {
            Ok(LockTransaction::new().run(conn, |_| Ok::<_, LockError>(0))?)
        }),
        outside("LockTransaction::run, one lock_by_id", 1, |conn| {
            Ok(LockTransaction::new().run(conn, |conn| Account::lock_by_id(1, conn).map(|_| 1))?)
        }),
        inside("LockTransaction::run, nested, empty", 0, |conn| {
            Ok(LockTransaction::new().run(conn, |_| Ok::<_, LockError>(0))?)
        }),
        outside("with_lock", 1, |conn| Ok(Account::stale(1).with_lock(conn, |_, _| Ok::<_, LockError>(1))?)),
        inside("with_lock, nested", 1, |conn| Ok(Account::stale(1).with_lock(conn, |_, _| Ok::<_, LockError>(1))?)),
    ]
}
