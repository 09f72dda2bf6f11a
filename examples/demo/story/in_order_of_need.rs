//! The naive way: each row is locked when the transfer comes to it. Correct about the money; but two transfers that come
//! to the same two rows in different order wait for each other, and the server ends one of them.

use diesel::prelude::*;
use diesel_lockset::LockError;

use super::Conn;
use crate::bank::{Account, Branch, FEE, Teller, Transfer, accounts, branches, changed, tellers};

pub(crate) fn transfer(conn: &mut Conn, transfer: &Transfer) -> Result<(), LockError> {
    let Transfer { payer, payee, taking, giving, branch, amount } = *transfer;
    conn.transaction(|conn| {
        // Out of the payer's account, by one teller ..
        change_account(conn, payer, -(amount + FEE))?;
        change_teller(conn, taking, -amount)?;
        // .. into the payee's account, by another. They may work the other way round for somebody else just now.
        change_account(conn, payee, amount)?;
        change_teller(conn, giving, amount)?;
        change_branch(conn, branch, FEE)?;
        Ok(())
    })
}

fn change_account(conn: &mut Conn, id: i32, change: i32) -> QueryResult<usize> {
    let mut account: Account = accounts::table.find(id).select(Account::as_select()).for_update().first(conn)?;
    account.balance = changed(account.balance, change);
    diesel::update(&account).set(&account).execute(conn)
}

fn change_teller(conn: &mut Conn, id: i32, change: i32) -> QueryResult<usize> {
    let mut teller: Teller = tellers::table.find(id).select(Teller::as_select()).for_update().first(conn)?;
    teller.balance = changed(teller.balance, change);
    diesel::update(&teller).set(&teller).execute(conn)
}

fn change_branch(conn: &mut Conn, id: i32, change: i32) -> QueryResult<usize> {
    let mut branch: Branch = branches::table.find(id).select(Branch::as_select()).for_update().first(conn)?;
    branch.balance = changed(branch.balance, change);
    diesel::update(&branch).set(&branch).execute(conn)
}
