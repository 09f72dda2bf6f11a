//! This crate over a blocking connection.

use diesel::prelude::*;
use diesel_lockset::prelude::*;

use super::diesel::set_balance;
use crate::{
    backlog::{Job, TAKEN, jobs, next_jobs},
    operation::Work,
    shared::Result,
    slice::Session,
    tables::{Account, Teller, accounts, tellers},
};

pub(crate) struct Blocking(PgConnection);

impl Session for Blocking {
    async fn open(url: &str) -> Result<Self> {
        Ok(Blocking(PgConnection::establish(url)?))
    }

    async fn call(&mut self, work: Work) -> Result<usize> {
        let conn = &mut self.0;
        Ok(match work {
            Work::OneRow(id) => conn.transaction(|conn| one_row(conn, id))?,
            Work::NoTransaction(id) => one_row(conn, id)?,
            Work::SixRows { accounts: ids, tellers: others } => conn.transaction(|conn| {
                let locked = LockSet::new().ids::<Account>(ids).ids::<Teller>(others).lock(conn)?;
                diesel::update(accounts::table.filter(accounts::id.eq_any(ids)))
                    .set(accounts::balance.eq(accounts::balance + 1))
                    .execute(conn)?;
                diesel::update(tellers::table.filter(tellers::id.eq_any(others)))
                    .set(tellers::balance.eq(tellers::balance - 1))
                    .execute(conn)?;
                Ok::<_, LockError>(locked.rows::<Account>().len() + locked.rows::<Teller>().len())
            })?,
            Work::Claim(n) => next_jobs().claim::<Job, _>(n, jobs::status.eq(TAKEN), conn)?.len(),
            Work::Transfer { from, to } => LockTransaction::new().run(conn, |conn| {
                let locked = LockSet::new().ids::<Account>([from, to]).lock(conn)?;
                for (id, change) in [(from, -1), (to, 1)] {
                    set_balance(conn, id, locked.id::<Account>(id)?.balance + change)?;
                }
                Ok::<_, LockError>(2)
            })?,
        })
    }
}

fn one_row(conn: &mut PgConnection, id: i32) -> Result<usize, LockError> {
    let account = Account::lock_by_id(id, conn)?;
    Ok(set_balance(conn, id, account.balance + 1)?)
}

/// One name is locked for all transfers, and no row.
pub(crate) struct OneName(PgConnection);

impl Session for OneName {
    async fn open(url: &str) -> Result<Self> {
        Ok(OneName(PgConnection::establish(url)?))
    }

    async fn call(&mut self, work: Work) -> Result<usize> {
        let Work::Transfer { from, to } = work else { return Err("made for transfers".into()) };
        Ok(self.0.transaction(|conn| {
            AdvisoryLock::named("transfers").acquire_for_transaction(conn)?;
            let both = accounts::table.filter(accounts::id.eq_any([from, to]));
            for Account { id, balance } in both.select(Account::as_select()).load(conn)? {
                set_balance(conn, id, balance + if id == from { -1 } else { 1 })?;
            }
            Ok::<_, LockError>(2)
        })?)
    }
}
