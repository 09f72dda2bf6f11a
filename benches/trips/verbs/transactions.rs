//! Transactions, beside Diesel's own.

use std::time::Duration;

use diesel::{prelude::*, result::Error};
use diesel_lockset::prelude::*;

use super::{
    Conn, inside, outside,
    tables::{Account, Job, Order, Product, Stock, accounts},
};
use crate::count::Verb;

const LONG: Duration = Duration::from_secs(10);

/// Diesel's own transactions around the same locks are here to compare with.
///
/// On MySQL and MariaDB a locking statement takes two round trips, where Diesel's `for_update` takes one: it is prepared each time. So `lock_by_id`
/// in Diesel's transaction takes 8 and not 7, and a set of five tables 16 and not 12. `DESIGN.md`, "Round trips", names the promises that a cached
/// one would break. On MySQL, which does not prepare savepoints, a `LockTransaction` takes 4 more than Diesel's transaction, on MariaDB none.
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
        outside("Diesel: transaction, one lock_by_id", 1, |conn| {
            Ok(conn.transaction(|conn| Account::lock_by_id(1, conn).map(|_| 1))?)
        }),
        outside("Diesel: transaction, one lock, timeout", 1, |conn| {
            Ok(conn.transaction(|conn| Account::stale(1).timeout(LONG).lock(conn).map(|_| 1))?)
        }),
        outside("Diesel: transaction, set of five tables", 10, |conn| Ok(conn.transaction(five_tables)?)),
        outside("LockTransaction::run, empty", 0, |conn| {
            Ok(LockTransaction::new().run(conn, |_| Ok::<_, LockError>(0))?)
        }),
        outside("LockTransaction::run, one lock_by_id", 1, |conn| {
            Ok(LockTransaction::new().run(conn, |conn| Account::lock_by_id(1, conn).map(|_| 1))?)
        }),
        inside("LockTransaction::run, nested, empty", 0, |conn| {
            Ok(LockTransaction::new().run(conn, |_| Ok::<_, LockError>(0))?)
        }),
        outside("LockTransaction::run, set of five tables", 10, |conn| {
            Ok(LockTransaction::new().run(conn, five_tables)?)
        }),
        outside("with_lock", 1, |conn| Ok(Account::stale(1).with_lock(conn, |_, _| Ok::<_, LockError>(1))?)),
        inside("with_lock, nested", 1, |conn| Ok(Account::stale(1).with_lock(conn, |_, _| Ok::<_, LockError>(1))?)),
    ]
}

/// Two rows of each of five tables, by key.
fn five_tables(conn: &mut Conn) -> Result<usize, LockError> {
    let set = LockSet::new().ids::<Account>([2, 1]).ids::<Order>([2, 1]).ids::<Job>([2, 1]).ids::<Product>([2, 1]);
    let locked = set.ids::<Stock>([(1_i64, 2_i64), (1, 1)]).lock(conn)?;
    let (accounts, orders, jobs) = (locked.rows::<Account>(), locked.rows::<Order>(), locked.rows::<Job>());
    let (products, stock) = (locked.rows::<Product>(), locked.rows::<Stock>());
    Ok(accounts.len() + orders.len() + jobs.len() + products.len() + stock.len())
}
