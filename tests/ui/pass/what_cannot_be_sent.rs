//! Closures, hooks, filters and changes over a blocking connection need not be `Send`.

use std::{cell::Cell, rc::Rc};

use diesel::{
    expression::AsExpression,
    pg::Pg,
    prelude::*,
    serialize::{self, Output, ToSql},
    sql_types::Text,
};
use diesel_lockset::{
    AdvisoryLock, LockDsl, LockError, LockQueryDsl, LockTransaction, Lockable, PickDsl, RunAdvisoryLock, RunLockQuery,
    RunLockTransaction,
};

diesel::table! {
    accounts (id) {
        id -> BigInt,
        owner -> Text,
    }
}

#[derive(Debug, Queryable, Selectable, Lockable)]
struct Account {
    id: i64,
    owner: String,
}

/// A value that is shared within its thread.
#[derive(Debug, Clone, AsExpression)]
#[diesel(sql_type = Text)]
struct Owner(Rc<str>);

impl ToSql<Text, Pg> for Owner {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        <str as ToSql<Text, Pg>>::to_sql(&self.0, out)
    }
}

fn is_not_sent(conn: &mut PgConnection, account: &Account, owner: &Owner) -> Result<(), LockError> {
    let count = Rc::new(Cell::new(0));
    let more = || count.set(count.get() + 1);
    let kept = Rc::clone(&count);
    LockTransaction::new()
        .before_retry(|_, _| more())
        .retry_when(move |_| kept.get() < 3)
        .run(conn, |_| Ok::<_, LockError>(more()))?;
    account.with_lock(conn, |_, _| Ok::<_, LockError>(Rc::clone(&count)))?;
    AdvisoryLock::named("a").hold(conn, |_| Ok::<_, LockError>(Rc::clone(&count)))?;
    AdvisoryLock::named("a").try_hold(conn, |_| Ok::<_, LockError>(Rc::clone(&count)))?;
    AdvisoryLock::named("a").hold_session(conn, |_| Ok::<_, LockError>(Rc::clone(&count)))?;
    let of_owner = || accounts::table.filter(accounts::owner.eq(owner.clone()));
    let _: Vec<Account> = RunLockQuery::load(of_owner().for_update_of(accounts::table), conn)?;
    let _: Vec<Account> = RunLockQuery::load(of_owner().for_update_of(accounts::table).no_wait(), conn)?;
    let _: Option<Account> = of_owner().pick_next(conn)?;
    let _: Option<(i64, String)> = of_owner().for_no_key_update_of(accounts::table).pick_next(conn)?;
    let _: Vec<Account> = of_owner().claim(1, accounts::owner.eq(owner.clone()), conn)?;
    Ok(())
}

fn main() {
    let _ = is_not_sent;
}
