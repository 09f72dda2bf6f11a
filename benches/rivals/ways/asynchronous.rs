//! Over diesel-async: by hand, and by this crate.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use diesel_lockset::nonblocking::prelude::*;

use crate::{
    backlog::{Job, TAKEN, jobs, next_jobs},
    operation::Work,
    shared::Result,
    slice::Session,
    tables::{Account, Teller, accounts, tellers},
};

/// diesel-async, where several rows are locked by one statement, in the order of their keys.
pub(crate) struct ByHand(AsyncPgConnection);

impl Session for ByHand {
    async fn open(url: &str) -> Result<Self> {
        Ok(ByHand(AsyncPgConnection::establish(url).await?))
    }

    async fn call(&mut self, work: Work) -> Result<usize> {
        let conn = &mut self.0;
        let transaction = conn.transaction(async move |conn| match work {
            Work::OneRow(id) | Work::NoTransaction(id) => {
                let row = accounts::table.find(id).select(Account::as_select()).for_update();
                let account: Account = row.first(conn).await?;
                set_balance(conn, id, account.balance + 1).await
            }
            Work::SixRows { accounts: ids, tellers: others } => {
                let locked = accounts::table.filter(accounts::id.eq_any(ids)).order(accounts::id).for_update();
                let locked: Vec<Account> = locked.select(Account::as_select()).load(conn).await?;
                let counted = tellers::table.filter(tellers::id.eq_any(others)).order(tellers::id).for_update();
                let counted: Vec<Teller> = counted.select(Teller::as_select()).load(conn).await?;
                change_six(conn, ids, others).await?;
                Ok(locked.len() + counted.len())
            }
            Work::Claim(n) => {
                let next = next_jobs().limit(n.into()).for_update().skip_locked();
                let picked: Vec<Job> = next.select(Job::as_select()).load(conn).await?;
                let ids: Vec<i64> = picked.iter().map(|job| job.id).collect();
                let picked = diesel::update(jobs::table.filter(jobs::id.eq_any(ids)));
                picked.set(jobs::status.eq(TAKEN)).execute(conn).await
            }
            Work::Transfer { from, to } => {
                let both = accounts::table.filter(accounts::id.eq_any([from, to])).order(accounts::id).for_update();
                let both: Vec<Account> = both.select(Account::as_select()).load(conn).await?;
                for Account { id, balance } in both {
                    set_balance(conn, id, balance + if id == from { -1 } else { 1 }).await?;
                }
                QueryResult::Ok(2)
            }
        });
        Ok(transaction.await?)
    }
}

/// This crate.
pub(crate) struct Lockset(AsyncPgConnection);

impl Session for Lockset {
    async fn open(url: &str) -> Result<Self> {
        Ok(Lockset(AsyncPgConnection::establish(url).await?))
    }

    async fn call(&mut self, work: Work) -> Result<usize> {
        let conn = &mut self.0;
        if let Work::Claim(n) = work {
            return Ok(next_jobs().claim::<Job, _>(n, jobs::status.eq(TAKEN), conn).await?.len());
        }
        let transaction = LockTransaction::new().run(conn, async move |conn| match work {
            Work::OneRow(id) => {
                let account = Account::lock_by_id(id, conn).await?;
                Ok(set_balance(conn, id, account.balance + 1).await?)
            }
            Work::SixRows { accounts: ids, tellers: others } => {
                let locked = LockSet::new().ids::<Account>(ids).ids::<Teller>(others).lock(conn).await?;
                change_six(conn, ids, others).await?;
                Ok(locked.rows::<Account>().len() + locked.rows::<Teller>().len())
            }
            Work::Transfer { from, to } => {
                let locked = LockSet::new().ids::<Account>([from, to]).lock(conn).await?;
                for (id, change) in [(from, -1), (to, 1)] {
                    set_balance(conn, id, locked.id::<Account>(id)?.balance + change).await?;
                }
                Ok::<_, LockError>(2)
            }
            Work::Claim(_) | Work::NoTransaction(_) => Ok(0),
        });
        Ok(transaction.await?)
    }
}

async fn set_balance(conn: &mut AsyncPgConnection, id: i32, balance: i32) -> QueryResult<usize> {
    diesel::update(accounts::table.find(id)).set(accounts::balance.eq(balance)).execute(conn).await
}

async fn change_six(conn: &mut AsyncPgConnection, ids: [i32; 3], others: [i32; 3]) -> QueryResult<usize> {
    diesel::update(accounts::table.filter(accounts::id.eq_any(ids)))
        .set(accounts::balance.eq(accounts::balance + 1))
        .execute(conn)
        .await?;
    diesel::update(tellers::table.filter(tellers::id.eq_any(others)))
        .set(tellers::balance.eq(tellers::balance - 1))
        .execute(conn)
        .await
}
