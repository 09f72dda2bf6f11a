//! Diesel by hand, blocking: `for_update()`, and the order of the locks thought of by the programmer, or not.

use diesel::prelude::*;

use crate::{
    backlog::{Job, TAKEN, jobs, next_jobs},
    operation::Work,
    shared::Result,
    slice::Session,
    tables::{Account, Teller, accounts, tellers},
};

/// Several rows are locked by one statement, in the order of their keys.
pub(crate) struct Sorted(PgConnection);

impl Session for Sorted {
    async fn open(url: &str) -> Result<Self> {
        Ok(Sorted(PgConnection::establish(url)?))
    }

    async fn call(&mut self, work: Work) -> Result<usize> {
        let conn = &mut self.0;
        Ok(match work {
            Work::OneRow(id) => conn.transaction(|conn| one_row(conn, id))?,
            // Nothing holds the lock once the first statement is over.
            Work::NoTransaction(id) => one_row(conn, id)?,
            Work::SixRows { accounts: ids, tellers: others } => conn.transaction(|conn| {
                let locked = accounts::table.filter(accounts::id.eq_any(ids)).order(accounts::id).for_update();
                let locked: Vec<Account> = locked.select(Account::as_select()).load(conn)?;
                let counted = tellers::table.filter(tellers::id.eq_any(others)).order(tellers::id).for_update();
                let counted: Vec<Teller> = counted.select(Teller::as_select()).load(conn)?;
                diesel::update(accounts::table.filter(accounts::id.eq_any(ids)))
                    .set(accounts::balance.eq(accounts::balance + 1))
                    .execute(conn)?;
                diesel::update(tellers::table.filter(tellers::id.eq_any(others)))
                    .set(tellers::balance.eq(tellers::balance - 1))
                    .execute(conn)?;
                QueryResult::Ok(locked.len() + counted.len())
            })?,
            Work::Claim(n) => conn.transaction(|conn| {
                let next = next_jobs().limit(n.into()).for_update().skip_locked();
                let picked: Vec<Job> = next.select(Job::as_select()).load(conn)?;
                let ids: Vec<i64> = picked.iter().map(|job| job.id).collect();
                diesel::update(jobs::table.filter(jobs::id.eq_any(ids))).set(jobs::status.eq(TAKEN)).execute(conn)
            })?,
            Work::Transfer { from, to } => conn.transaction(|conn| {
                let both = accounts::table.filter(accounts::id.eq_any([from, to])).order(accounts::id).for_update();
                for Account { id, balance } in both.select(Account::as_select()).load(conn)? {
                    set_balance(conn, id, balance + if id == from { -1 } else { 1 })?;
                }
                QueryResult::Ok(2)
            })?,
        })
    }
}

/// Each row is locked when the transfer comes to it.
pub(crate) struct Unsorted(PgConnection);

impl Session for Unsorted {
    async fn open(url: &str) -> Result<Self> {
        Ok(Unsorted(PgConnection::establish(url)?))
    }

    async fn call(&mut self, work: Work) -> Result<usize> {
        let Work::Transfer { from, to } = work else { return Err("made for transfers".into()) };
        Ok(self.0.transaction(|conn| {
            for (id, change) in [(from, -1), (to, 1)] {
                let account: Account =
                    accounts::table.find(id).select(Account::as_select()).for_update().first(conn)?;
                set_balance(conn, id, account.balance + change)?;
            }
            QueryResult::Ok(2)
        })?)
    }
}

fn one_row(conn: &mut PgConnection, id: i32) -> QueryResult<usize> {
    let account: Account = accounts::table.find(id).select(Account::as_select()).for_update().first(conn)?;
    set_balance(conn, id, account.balance + 1)
}

pub(super) fn set_balance(conn: &mut PgConnection, id: i32, balance: i32) -> QueryResult<usize> {
    diesel::update(accounts::table.find(id)).set(accounts::balance.eq(balance)).execute(conn)
}
