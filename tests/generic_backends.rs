//! One function that locks rows on PostgreSQL, MySQL, MariaDB and SQLite.

#[cfg(feature = "sqlite")]
use diesel::connection::SimpleConnection;
use diesel::{backend::DieselReserveSpecialization, prelude::*, serialize::ToSql, sql_types::Integer};
use diesel_lockset::{LockConnection, LockTarget, prelude::*};

use crate::support::{
    arena::{Arena, ServerArena},
    models::Account,
    mysql::MysqlFamily,
    schema::accounts,
};

fn transfer<Conn>(conn: &mut Conn, from: i32, to: i32, amount: i32) -> Result<bool, LockError>
where
    Conn: LockConnection<Backend: DieselReserveSpecialization>,
    Account: LockTarget<Conn::Backend>,
    i32: ToSql<Integer, Conn::Backend>,
{
    LockTransaction::new().run(conn, |conn| {
        let locked = LockSet::new().ids::<Account>([from, to]).lock(conn)?;
        if locked.id::<Account>(from)?.balance < amount {
            return Ok(false);
        }
        for (id, change) in [(from, -amount), (to, amount)] {
            let balance = locked.id::<Account>(id)?.balance + change;
            diesel::update(accounts::table.find(id)).set(accounts::balance.eq(balance)).execute(conn)?;
        }
        Ok(true)
    })
}

/// B06.
#[test]
fn one_function_transfers_money_on_each_backend() {
    let (postgres, mysql) = (Arena::new(), ServerArena::<MysqlFamily>::new());
    assert!(
        transfer(&mut postgres.connect(), 2, 1, 15).unwrap() && !transfer(&mut postgres.connect(), 2, 1, 15).unwrap()
    );
    assert!(transfer(&mut mysql.connect(), 2, 1, 15).unwrap() && !transfer(&mut mysql.connect(), 2, 1, 15).unwrap());
    let balances =
        "SELECT 100 * (SELECT balance FROM accounts WHERE id = 1) + (SELECT balance FROM accounts WHERE id = 2)";
    assert_eq!((postgres.number(balances), mysql.number(balances)), (2_505, 2_505));
    #[cfg(feature = "sqlite")]
    {
        let conn = &mut SqliteConnection::establish(":memory:").unwrap();
        conn.batch_execute(
            "CREATE TABLE accounts (id integer PRIMARY KEY, owner text NOT NULL, balance integer NOT NULL, v integer NOT NULL);
             INSERT INTO accounts VALUES (1, 'ada', 10, 0), (2, 'ben', 20, 0)",
        )
        .unwrap();
        assert!(transfer(conn, 2, 1, 15).unwrap() && !transfer(conn, 2, 1, 15).unwrap());
        let balances: Vec<i32> = accounts::table.order(accounts::id).select(accounts::balance).load(conn).unwrap();
        assert_eq!(balances, [25, 5]);
    }
}
