//! Moves money between two accounts that it locks: every part of the published packages that a user needs first.

use diesel::{
    connection::SimpleConnection,
    prelude::*,
    r2d2::{ConnectionManager, Pool},
};
use diesel_lockset::prelude::*;

diesel::table! {
    accounts (id) { id -> Integer, balance -> Integer, }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Lockable)]
#[diesel(table_name = accounts)]
struct Account {
    id: i32,
    balance: i32,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manager = ConnectionManager::<SqliteConnection>::new(":memory:");
    let conn = &mut Pool::builder().max_size(1).build(manager)?.get()?;
    conn.batch_execute("CREATE TABLE accounts (id integer PRIMARY KEY, balance integer NOT NULL)")?;
    diesel::insert_into(accounts::table)
        .values([(accounts::id.eq(1), accounts::balance.eq(10)), (accounts::id.eq(2), accounts::balance.eq(0))])
        .execute(conn)?;

    LockTransaction::new().run(conn, |conn| {
        let locked = LockSet::new().ids::<Account>([2, 1]).lock(conn)?;
        for (id, change) in [(1, -4), (2, 4)] {
            let account = locked.id::<Account>(id)?;
            diesel::update(accounts::table.find(id))
                .set(accounts::balance.eq(account.balance + change))
                .execute(conn)?;
        }
        Ok::<_, LockError>(())
    })?;

    let balances: Vec<i32> = accounts::table.order(accounts::id).select(accounts::balance).load(conn)?;
    assert_eq!(balances, [6, 4]);
    println!("locked, and moved: {balances:?}");
    Ok(())
}
