//! The same transfer with `LockSet`: all of its rows in one call, in whatever order they are named.

use diesel::prelude::*;
use diesel_lockset::prelude::*;

use super::Conn;
use crate::bank::{Account, Branch, FEE, Teller, Transfer, changed};

pub(crate) fn transfer(conn: &mut Conn, transfer: &Transfer) -> Result<(), LockError> {
    let Transfer { payer, payee, taking, giving, branch, amount } = *transfer;
    conn.transaction(|conn| {
        let mut locked = LockSet::new()
            .ids::<Account>([payer, payee])
            .ids::<Teller>([taking, giving])
            .id::<Branch>(branch)
            .lock(conn)?;

        for (id, change) in [(payer, -(amount + FEE)), (payee, amount)] {
            let mut account: Account = locked.take_id(id)?;
            account.balance = changed(account.balance, change);
            diesel::update(&account).set(&account).execute(conn)?;
        }
        for (id, change) in [(taking, -amount), (giving, amount)] {
            let mut teller: Teller = locked.take_id(id)?;
            teller.balance = changed(teller.balance, change);
            diesel::update(&teller).set(&teller).execute(conn)?;
        }
        let mut branch: Branch = locked.take_id(branch)?;
        branch.balance = changed(branch.balance, FEE);
        diesel::update(&branch).set(&branch).execute(conn)?;
        Ok(())
    })
}
