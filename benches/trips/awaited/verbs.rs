//! The main verbs over diesel-async, beside diesel-async by hand. Those that have the name of a blocking verb do the same.

use diesel::{prelude::*, result::Error};
use diesel_async::{AsyncConnection, RunQueryDsl};
use diesel_lockset::nonblocking::prelude::*;

use super::Conn;
use crate::{
    awaited::Awaited,
    count::Verb,
    on_postgres::verbs::tables::{Account, Job, Order, Product, Stock, accounts, jobs},
    shared::Result,
};

const KEYS: [i64; 6] = [6, 5, 4, 3, 2, 1];

pub(super) fn all() -> Vec<Verb<Awaited<Conn>>> {
    [transactions(), rows(), picks()].into_iter().flatten().collect()
}

fn transactions() -> Vec<Verb<Awaited<Conn>>> {
    vec![
        outside("Diesel: transaction, empty", 0, |on| {
            on.wait(async |conn| Ok(conn.transaction(async |_| Ok::<_, Error>(0)).await?))
        }),
        outside("Diesel: transaction, one select for_update()", 1, |on| {
            on.wait(async |conn| Ok(conn.transaction(async |conn| one_by_hand(conn).await).await?))
        }),
        outside("Diesel: transaction, one row updated", 1, |on| {
            on.wait(async |conn| {
                Ok(conn
                    .transaction(async |conn| {
                        one_by_hand(conn).await?;
                        update(conn).await
                    })
                    .await?)
            })
        }),
        outside("Diesel: transaction, one lock_by_id", 1, |on| {
            on.wait(async |conn| {
                Ok(conn.transaction(async |conn| Account::lock_by_id(1, conn).await.map(|_| 1)).await?)
            })
        }),
        outside("Diesel: transaction, set of five tables", 10, |on| {
            on.wait(async |conn| Ok(conn.transaction(async |conn| five_tables(conn).await).await?))
        }),
        outside("LockTransaction::run, empty", 0, |on| {
            on.wait(async |conn| Ok(LockTransaction::new().run(conn, async |_| Ok::<_, LockError>(0)).await?))
        }),
        outside("LockTransaction::run, one lock_by_id", 1, |on| {
            on.wait(async |conn| {
                let locks = async |conn: &mut Conn| Account::lock_by_id(1, conn).await.map(|_| 1);
                Ok(LockTransaction::new().run(conn, locks).await?)
            })
        }),
        outside("LockTransaction::run, one row updated", 1, |on| {
            on.wait(async |conn| {
                let updates = async |conn: &mut Conn| {
                    Account::lock_by_id(1, conn).await?;
                    Ok::<_, LockError>(update(conn).await?)
                };
                Ok(LockTransaction::new().run(conn, updates).await?)
            })
        }),
        inside("LockTransaction::run, nested, empty", 0, |on| {
            on.wait(async |conn| Ok(LockTransaction::new().run(conn, async |_| Ok::<_, LockError>(0)).await?))
        }),
        outside("LockTransaction::run, set of five tables", 10, |on| {
            on.wait(async |conn| {
                Ok(LockTransaction::new().run(conn, async |conn: &mut Conn| five_tables(conn).await).await?)
            })
        }),
        outside("with_lock", 1, |on| {
            on.wait(async |conn| Ok(Account::stale(1).with_lock(conn, async |_, _| Ok::<_, LockError>(1)).await?))
        }),
        outside("advisory: hold", 1, |on| {
            on.wait(async |conn| Ok(AdvisoryLock::named("free").hold(conn, async |_| Ok::<_, LockError>(1)).await?))
        }),
    ]
}

fn rows() -> Vec<Verb<Awaited<Conn>>> {
    vec![
        inside("Diesel: select for_update()", 1, |on| on.wait(async |conn| Ok(one_by_hand(conn).await?))),
        inside("Diesel: select for_update(), 6 keys", 6, |on| on.wait(async |conn| Ok(six_by_hand(conn).await?))),
        inside("lock_by_id", 1, |on| on.wait(async |conn| Ok(Account::lock_by_id(1, conn).await.map(|_| 1)?))),
        inside("set, 6 keys", 6, |on| {
            on.wait(async |conn| Ok(LockSet::new().ids::<Account>(KEYS).lock(conn).await?.rows::<Account>().len()))
        }),
    ]
}

fn picks() -> Vec<Verb<Awaited<Conn>>> {
    vec![
        inside("Diesel: select, skip_locked()", 1, |on| {
            on.wait(async |conn| {
                let next = free().limit(1).for_update().skip_locked();
                Ok(next.load::<Job>(conn).await?.len())
            })
        }),
        inside("pick_next", 1, |on| on.wait(async |conn| Ok(free().pick_next::<Job>(conn).await?.map_or(0, |_| 1)))),
        inside("claim(1)", 1, |on| {
            on.wait(async |conn| Ok(free().claim::<Job, _>(1, jobs::status.eq("taken"), conn).await?.len()))
        }),
        outside("Diesel: transaction, one job claimed", 1, |on| {
            on.wait(async |conn| {
                Ok(conn
                    .transaction(async |conn| {
                        let next = free().limit(1).for_update().skip_locked();
                        let ids: Vec<i64> = next.select(jobs::id).load(conn).await?;
                        let picked = diesel::update(jobs::table.filter(jobs::id.eq_any(ids)));
                        picked.set(jobs::status.eq("taken")).execute(conn).await
                    })
                    .await?)
            })
        }),
        outside("claim(1), outside", 1, |on| {
            on.wait(async |conn| Ok(free().claim::<Job, _>(1, jobs::status.eq("taken"), conn).await?.len()))
        }),
    ]
}

fn inside(name: &'static str, rows: usize, call: fn(&mut Awaited<Conn>) -> Result<usize>) -> Verb<Awaited<Conn>> {
    Verb { name, in_transaction: true, rows, call }
}

fn outside(name: &'static str, rows: usize, call: fn(&mut Awaited<Conn>) -> Result<usize>) -> Verb<Awaited<Conn>> {
    Verb { name, in_transaction: false, rows, call }
}

#[diesel::dsl::auto_type]
fn free() -> _ {
    jobs::table.filter(jobs::status.eq("new")).filter(jobs::priority.eq(1_i32)).order(jobs::id)
}

async fn one_by_hand(conn: &mut Conn) -> QueryResult<usize> {
    Ok(accounts::table.find(1).for_update().load::<Account>(conn).await?.len())
}

async fn six_by_hand(conn: &mut Conn) -> QueryResult<usize> {
    let rows = accounts::table.filter(accounts::id.eq_any(KEYS)).order(accounts::id).for_update();
    Ok(rows.load::<Account>(conn).await?.len())
}

async fn update(conn: &mut Conn) -> QueryResult<usize> {
    diesel::update(accounts::table.find(1)).set(accounts::balance.eq(accounts::balance + 1)).execute(conn).await
}

/// Two rows of each of five tables, by key.
async fn five_tables(conn: &mut Conn) -> Result<usize, LockError> {
    let set = LockSet::new().ids::<Account>([2, 1]).ids::<Order>([2, 1]).ids::<Job>([2, 1]).ids::<Product>([2, 1]);
    let locked = set.ids::<Stock>([(1_i64, 2_i64), (1, 1)]).lock(conn).await?;
    let (accounts, orders, jobs) = (locked.rows::<Account>(), locked.rows::<Order>(), locked.rows::<Job>());
    let (products, stock) = (locked.rows::<Product>(), locked.rows::<Stock>());
    Ok(accounts.len() + orders.len() + jobs.len() + products.len() + stock.len())
}
