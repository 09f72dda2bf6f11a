//! Asynchronous methods of all forms under the lock of their model.

#![deny(unused, unused_qualifications)]

use diesel::prelude::*;
use diesel_async::{AsyncMysqlConnection, AsyncPgConnection, RunQueryDsl};
use diesel_lockset::{
    LockError, Lockable, advisory_locked,
    bounds::SupportsAdvisory,
    markers::{Exclusive, Shared},
    nonblocking::LockConnection,
};

diesel::table! { accounts (id) { id -> BigInt, owner -> Text, balance -> BigInt, } }

#[derive(Queryable, Selectable, Lockable)]
struct Account {
    id: i64,
    #[allow(dead_code)]
    owner: String,
    balance: i64,
}

#[derive(Debug, thiserror::Error)]
#[allow(dead_code)]
enum BankError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Query(#[from] diesel::result::Error),
    #[error("empty")]
    Empty,
}

#[allow(dead_code)]
impl Account {
    /// `return`, `?`, an error of one's own, an argument that is moved in.
    #[advisory_locked]
    pub(crate) async fn pay(&self, conn: &mut AsyncPgConnection, amount: i64, note: String) -> Result<i64, BankError> {
        let account: Account = accounts::table.find(self.id).select(Account::as_select()).first(conn).await?;
        if account.balance < amount {
            return Err(BankError::Empty);
        }
        diesel::update(accounts::table.find(self.id))
            .set((accounts::balance.eq(account.balance - amount), accounts::owner.eq(&note)))
            .execute(conn)
            .await?;
        Ok(account.balance - amount)
    }

    #[advisory_locked(try)]
    async fn close(&mut self, conn: &mut AsyncMysqlConnection) -> Result<Option<()>, LockError> {
        self.balance = 0;
        diesel::delete(accounts::table.find(self.id)).execute(conn).await?;
        Ok(Some(()))
    }

    #[advisory_locked(session, timeout = "5s")]
    async fn send<C: LockConnection<Backend: SupportsAdvisory<Exclusive>>>(&self, _: &mut C) -> Result<i64, LockError> {
        Ok(self.id)
    }

    #[advisory_locked(shared)]
    async fn read<C: LockConnection<Backend: SupportsAdvisory<Shared>>>(&self, _conn: &mut C) -> Result<i64, LockError> {
        Ok(self.balance)
    }
}

fn is_sent<T: Send>(_: T) {}

#[allow(dead_code)]
fn all(account: &'static mut Account, pg: &mut AsyncPgConnection, mysql: &mut AsyncMysqlConnection) {
    is_sent(account.pay(pg, 1, String::new()));
    is_sent(account.send(pg));
    is_sent(account.read(pg));
    is_sent(account.close(mysql));
}

fn main() {}
