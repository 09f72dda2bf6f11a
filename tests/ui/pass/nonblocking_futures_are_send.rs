// Every verb of `nonblocking` gives a future that a runtime can spawn.

use std::{future::Future, time::Duration};

use diesel::prelude::*;
use diesel_async::{
    AsyncConnectionCore, AsyncMysqlConnection, AsyncPgConnection, RunQueryDsl,
    pooled_connection::{bb8, deadpool},
};
use diesel_lockset::{Isolation, Locked, nonblocking::prelude::*};

diesel::table! { accounts (id) { id -> BigInt, owner -> Text, balance -> BigInt, } }
diesel::table! { transfers (id) { id -> BigInt, account_id -> BigInt, amount -> BigInt, } }

#[allow(dead_code)]
#[derive(Queryable, Selectable, Lockable)]
struct Account {
    id: i64,
    owner: String,
    balance: i64,
}

#[allow(dead_code)]
#[derive(Queryable, Selectable, Lockable)]
struct Transfer {
    id: i64,
    account_id: i64,
    amount: i64,
}

fn spawned<F: Future<Output: Send> + Send + 'static>(future: F) {
    drop(tokio::spawn(future));
}

const LONG: Duration = Duration::from_secs(1);

/// Over a connection that the task owns, of a type that is known.
macro_rules! over {
    ($function:ident, $Conn:ty, $Passed:ty) => {
        fn $function() -> impl FnOnce($Conn, Account) {
            |mut conn, account| {
                spawned(async move {
                    let conn: &mut $Passed = &mut conn;
                    let picked: Option<Transfer> = transfers::table.order(transfers::id).pick_next(conn).await?;
                    let picked_more: Vec<Transfer> = transfers::table.pick(2, conn).await?;
                    let change = transfers::amount.eq(0);
                    let claimed: Vec<Transfer> = transfers::table.claim(1, change, conn).await?;
                    let query = accounts::table.filter(accounts::balance.gt(0).and(accounts::id.ne(3)));
                    let waited: Vec<Account> = query.for_update_of(accounts::table).lock(conn).await?;
                    let boxed = accounts::table.into_boxed().for_share_of(accounts::table).timeout(LONG);
                    let in_time: Vec<Account> = boxed.lock(conn).await?;
                    let set = LockSet::new().row(&account).query::<Transfer>(transfers::table.limit(1));
                    let locked: Locked = set.name_holders().timeout(LONG).lock(conn).await?;
                    let row: Account = account.lock(conn).await?;
                    let free: Option<Account> = account.skip_locked().lock(conn).await?;
                    let by_id: Account = Account::lock_by_id(1, conn).await?;
                    let held = account.no_wait().lock(conn).await?;
                    let run = LockTransaction::new().isolation(Isolation::ReadCommitted).before_retry(|_, _| {});
                    let left = run.run(conn, async |conn| {
                        let locked = LockSet::new().ids::<Account>([1, 2]).lock(conn).await?;
                        account.with_lock(conn, async |row, conn| {
                            let change = accounts::balance.eq(row.balance);
                            diesel::update(accounts::table.find(row.id)).set(change).execute(conn).await?;
                            Ok::<_, LockError>(())
                        })
                        .await?;
                        Ok::<_, LockError>(locked.id::<Account>(1)?.balance)
                    });
                    let left = left.await?;
                    let lock = || AdvisoryLock::on(&account);
                    let held_one = lock().hold(conn, async |_| Ok::<_, LockError>(1)).await?;
                    let tried = lock().try_hold(conn, async |_| Ok::<_, LockError>(1)).await?;
                    let session = lock().timeout(LONG).hold_session(conn, async |_| Ok::<_, LockError>(1)).await?;
                    let mut guard = lock().acquire(conn).await?;
                    let is_held = lock().is_held(&mut *guard).await?;
                    guard.release().await;
                    if let Some(guard) = lock().try_acquire(conn).await? {
                        guard.release().await;
                    }
                    let holders = lock().holders(conn).await?;
                    drop((picked, picked_more, claimed, waited, in_time, locked, row, free, by_id, held, left));
                    drop((held_one, tried, session, is_held, holders));
                    Ok::<_, LockError>(())
                })
            }
        }
    };
}

over!(over_pg, AsyncPgConnection, AsyncPgConnection);
over!(over_mysql, AsyncMysqlConnection, AsyncMysqlConnection);
over!(over_deadpool, deadpool::Object<AsyncPgConnection>, deadpool::Object<AsyncPgConnection>);
over!(over_bb8, bb8::PooledConnection<'static, AsyncPgConnection>, bb8::PooledConnection<'static, AsyncPgConnection>);
over!(over_the_inside_of_bb8, bb8::PooledConnection<'static, AsyncPgConnection>, AsyncPgConnection);

/// With an error of any type, in each verb that takes a closure, and one inside of the other.
fn with_boxed_errors(pool: bb8::Pool<AsyncPgConnection>, account: Account) {
    type Boxed = Box<dyn std::error::Error + Send + Sync>;
    spawned(async move {
        let mut conn = pool.get().await?;
        LockTransaction::new()
            .run(&mut conn, async |conn| {
                LockTransaction::new().run(conn, async |_| Ok::<_, Boxed>(())).await?;
                account.with_lock(conn, async |_, _| Ok::<_, Boxed>(())).await?;
                let lock = || AdvisoryLock::on(&account);
                lock().hold(conn, async |_| Ok::<_, Boxed>(())).await?;
                lock().try_hold(conn, async |_| Ok::<_, Boxed>(())).await?;
                lock().hold_session(conn, async |_| Ok::<_, Boxed>(())).await?;
                Ok::<_, Boxed>(())
            })
            .await
    });
}

fn of_postgresql(mut conn: AsyncPgConnection) {
    spawned(async move {
        AdvisoryLock::named("x").shared().acquire_for_transaction(&mut conn).await?;
        AdvisoryLock::named("x").try_acquire_for_transaction(&mut conn).await?;
        AdvisoryLock::named("x").acquire_owned(conn).await?.release().await;
        Ok::<_, LockError>(())
    });
}

/// Generic over the connection.
fn over_any<C>(mut conn: C, account: Account)
where
    C: diesel_lockset::nonblocking::LockConnection + 'static,
    C: AsyncConnectionCore<Backend = diesel::pg::Pg>,
{
    spawned(async move {
        LockTransaction::new()
            .run(&mut conn, async |conn: &mut C| {
                let locked = LockSet::new().row(&account).timeout(LONG).lock(conn).await?;
                account.lock(conn).await?;
                account.with_lock(conn, async |_, conn: &mut C| account.lock(conn).await).await?;
                let picked: Option<Transfer> = transfers::table.pick_next(conn).await?;
                let query = accounts::table.for_update_of(accounts::table).no_wait();
                let rows: Vec<Account> = query.lock(conn).await?;
                AdvisoryLock::on(&account).hold(conn, async |_: &mut C| Ok::<_, LockError>(())).await?;
                drop((locked, picked, rows));
                Ok::<_, LockError>(())
            })
            .await
    });
}

fn main() {
    let _ = (over_pg, over_mysql, over_deadpool, over_bb8, over_the_inside_of_bb8, with_boxed_errors, of_postgresql, over_any::<AsyncPgConnection>);
}
