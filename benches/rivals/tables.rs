//! The tables of accounts and tellers, and what the database says after a slice. The table of jobs is that of `bench_pick`.

use diesel::{connection::SimpleConnection, dsl::sum, prelude::*};
use diesel_lockset::Lockable;

use crate::{
    operation::{ACCOUNTS, Operation, TELLERS},
    shared::Result,
};

diesel::table! {
    accounts (id) {
        id -> Integer,
        balance -> Integer,
    }
}
diesel::table! {
    tellers (id) {
        id -> Integer,
        balance -> Integer,
    }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
pub(crate) struct Account {
    pub(crate) id: i32,
    pub(crate) balance: i32,
}

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
#[allow(dead_code, reason = "loaded as a program would load it, and not looked at")]
pub(crate) struct Teller {
    pub(crate) id: i32,
    pub(crate) balance: i32,
}

pub(crate) fn make(conn: &mut PgConnection) -> QueryResult<()> {
    conn.batch_execute(&format!(
        "CREATE TABLE accounts (id integer PRIMARY KEY, balance integer NOT NULL);
         CREATE TABLE tellers (id integer PRIMARY KEY, balance integer NOT NULL);
         INSERT INTO accounts SELECT i, 0 FROM generate_series(1, {ACCOUNTS}) i;
         INSERT INTO tellers SELECT i, 0 FROM generate_series(1, {TELLERS}) i"
    ))
}

/// Removes the dead rows of what was before, which slow down hot rows.
pub(crate) fn tidy(conn: &mut PgConnection) -> QueryResult<()> {
    conn.batch_execute("VACUUM ANALYZE accounts")?;
    conn.batch_execute("VACUUM ANALYZE tellers")
}

/// Returns what the database says was done: the sums of the balances, in units of one call. `None` if the balances contradict each other.
pub(crate) fn done(operation: Operation, conn: &mut PgConnection) -> Result<Option<i64>> {
    let money: i64 = accounts::table.select(sum(accounts::balance)).first::<Option<i64>>(conn)?.unwrap_or(0);
    let counter: i64 = tellers::table.select(sum(tellers::balance)).first::<Option<i64>>(conn)?.unwrap_or(0);
    Ok(match operation {
        Operation::SixRows if money + counter != 0 => None,
        Operation::SixRows => Some(money / 3),
        _ => Some(money),
    })
}

/// Sets all balances to nothing.
pub(crate) fn reset(conn: &mut PgConnection) -> QueryResult<()> {
    diesel::update(accounts::table.filter(accounts::balance.ne(0))).set(accounts::balance.eq(0)).execute(conn)?;
    diesel::update(tellers::table.filter(tellers::balance.ne(0))).set(tellers::balance.eq(0)).execute(conn)?;
    tidy(conn)
}
