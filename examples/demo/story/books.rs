//! The bank as a whole: how it opens, and how much money is in it.

use diesel::{dsl::sum, prelude::*};

use super::Conn;
use crate::bank::{Bank, OPENING_BALANCE, accounts, branches, tellers};

/// Puts money into the accounts and reads which keys were given out.
pub(crate) fn open(conn: &mut Conn) -> QueryResult<Bank> {
    diesel::update(accounts::table).set(accounts::balance.eq(OPENING_BALANCE)).execute(conn)?;
    Ok(Bank {
        accounts: accounts::table.select(accounts::id).order(accounts::id).load(conn)?,
        tellers: tellers::table.select(tellers::id).order(tellers::id).load(conn)?,
        branches: branches::table.select(branches::id).order(branches::id).load(conn)?,
    })
}

/// The money in all accounts, at all tellers and in all branches.
pub(crate) fn money(conn: &mut Conn) -> QueryResult<i64> {
    let accounts: Option<i64> = accounts::table.select(sum(accounts::balance)).get_result(conn)?;
    let tellers: Option<i64> = tellers::table.select(sum(tellers::balance)).get_result(conn)?;
    let branches: Option<i64> = branches::table.select(sum(branches::balance)).get_result(conn)?;
    Ok([accounts, tellers, branches].into_iter().flatten().sum())
}
