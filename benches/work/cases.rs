//! The calls that are counted, by this crate and by hand.

use std::path::Path;

use diesel::{connection::SimpleConnection, dsl::sql, prelude::*, sql_types::Text};
use diesel_lockset::prelude::*;

use super::{ANALYZE, Conn};
use crate::{
    count::{Counted, Line, per_call},
    shared::{DatabaseOn, Result},
    time::{self, Times},
};

diesel::table! {
    accounts (id) {
        id -> BigInt,
        owner -> Text,
        balance -> BigInt,
        branch -> Integer,
    }
}

diesel::table! {
    orders (id) {
        id -> BigInt,
        account_id -> BigInt,
        status -> Text,
    }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = accounts)]
#[allow(dead_code, reason = "the columns are read, and not used")]
struct Account {
    id: i64,
    owner: String,
    balance: i64,
    branch: i32,
}

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = orders)]
#[allow(dead_code, reason = "as above")]
struct Order {
    id: i64,
    account_id: i64,
    status: String,
}

/// 500 accounts belong to each branch.
const ACCOUNTS: i64 = 500_000;
const ORDERS: i64 = 1_000;

/// A call, by this crate and by hand. Both return the number of rows.
struct Case {
    name: &'static str,
    rows: usize,
    times: u64,
    ours: fn(&mut Conn) -> Result<usize>,
    by_hand: fn(&mut Conn) -> Result<usize>,
}

const CASES: [Case; 4] = [
    Case {
        name: "one row by key",
        rows: 1,
        times: 500,
        ours: |conn| Ok(Account::lock_by_id(7, conn).map(|_| 1)?),
        by_hand: |conn| {
            let row = accounts::table.find(7).for_update().select(Account::as_select()).first(conn);
            Ok(row.map(|_| 1)?)
        },
    },
    Case {
        name: "3 and 3 rows of two tables",
        rows: 6,
        times: 200,
        ours: |conn| {
            let locked = LockSet::new().ids::<Account>([9, 7, 8]).ids::<Order>([3, 1, 2]).lock(conn)?;
            Ok(locked.rows::<Account>().len() + locked.rows::<Order>().len())
        },
        by_hand: |conn| {
            let of = accounts::table.filter(accounts::id.eq_any([9, 7, 8])).order(accounts::id);
            let accounts = of.for_update().select(Account::as_select()).load(conn)?;
            let of = orders::table.filter(orders::id.eq_any([3, 1, 2])).order(orders::id);
            let orders = of.for_update().select(Order::as_select()).load(conn)?;
            Ok(accounts.len() + orders.len())
        },
    },
    Case {
        name: "1,000 keys",
        rows: 1_000,
        times: 20,
        ours: |conn| Ok(LockSet::new().ids::<Account>(1..=1_000).lock(conn)?.rows::<Account>().len()),
        by_hand: |conn| {
            let of = accounts::table.filter(accounts::id.eq_any(1..=1_000)).order(accounts::id);
            Ok(of.for_update().select(Account::as_select()).load(conn)?.len())
        },
    },
    Case {
        name: "100 keys and a query of 500 rows",
        rows: 600,
        times: 20,
        ours: |conn| {
            let of_branch = accounts::table.filter(accounts::branch.eq(7));
            let locked = LockSet::new().ids::<Account>(100_100..100_200).query::<Account>(of_branch).lock(conn)?;
            Ok(locked.rows::<Account>().len())
        },
        by_hand: |conn| {
            let of = accounts::id.eq_any(100_100..100_200).or(accounts::branch.eq(7));
            let of = accounts::table.filter(of).order(accounts::id);
            Ok(of.for_update().select(Account::as_select()).load(conn)?.len())
        },
    },
];

/// Counts the cases whose name has `only` in it.
pub(crate) fn count(server: &str, only: &str, profiles: &Path) -> Result<Counted> {
    let database = DatabaseOn::<Conn>::create("bench_work")?;
    let conn = &mut database.connect()?;
    fill(conn)?;
    let version: String = diesel::select(sql::<Text>("version()")).get_result(conn)?;
    let version = version.split(',').next().unwrap_or_default();
    let version = version.split(" on ").next().unwrap_or_default().to_owned();
    let cases = CASES.iter().enumerate().filter(|(_, case)| case.name.contains(only));
    let line = |(place, Case { name, times, .. }): (usize, &Case)| {
        let of = |side| per_call(server, place, side, *times, &database.url(), profiles);
        let (by_hand, ours) = (of("by-hand")?, of("ours")?);
        Ok(Line { case: name, by_hand, ours, times: time(place, *times, &database.url())? })
    };
    Ok(Counted { server: version, lines: cases.map(line).collect::<Result<_>>()? })
}

/// Calls one side of a case so often, each time in a transaction.
pub(crate) fn call(case: usize, side: &str, times: u64, url: &str) -> Result<()> {
    let case = CASES.get(case).ok_or("no such case")?;
    let conn = &mut Conn::establish(url)?;
    for _ in 0..times {
        conn.transaction(|conn| case.call(side == "ours", conn))?;
    }
    Ok(())
}

/// Times both sides of a case, each over a connection of its own.
fn time(case: usize, times: u64, url: &str) -> Result<Times> {
    let case = CASES.get(case).ok_or("no such case")?;
    let (mut of_ours, mut by_hand) = (Conn::establish(url)?, Conn::establish(url)?);
    time::in_turns(|ours| {
        let conn = if ours { &mut of_ours } else { &mut by_hand };
        time::per_transaction(conn, times, |conn| case.call(ours, conn))
    })
}

impl Case {
    fn call(&self, ours: bool, conn: &mut Conn) -> Result<()> {
        let rows = if ours { (self.ours)(conn)? } else { (self.by_hand)(conn)? };
        if rows == self.rows {
            return Ok(());
        }
        Err(format!("{}: {rows} rows instead of {}", self.name, self.rows).into())
    }
}

const TABLES: &str = "
    CREATE TABLE accounts (id bigint NOT NULL PRIMARY KEY, owner varchar(20) NOT NULL, balance bigint NOT NULL, branch integer NOT NULL);
    CREATE TABLE orders (id bigint NOT NULL PRIMARY KEY, account_id bigint NOT NULL, status varchar(20) NOT NULL);
    INSERT INTO accounts VALUES (1, 'owner', 100, 1);
    INSERT INTO orders VALUES (1, 1, 'open')";

fn fill(conn: &mut Conn) -> Result<()> {
    conn.batch_execute(TABLES)?;
    let tables = [("accounts", "owner, balance, (id + {}) % 1000", ACCOUNTS), ("orders", "account_id, status", ORDERS)];
    for (table, columns, all) in tables {
        let mut rows = 1;
        while rows < all {
            // Twice as many, but not more than all.
            let columns = columns.replace("{}", &rows.to_string());
            conn.batch_execute(&format!(
                "INSERT INTO {table} SELECT id + {rows}, {columns} FROM {table} WHERE id <= {}",
                all - rows
            ))?;
            rows *= 2;
        }
    }
    conn.batch_execute("CREATE INDEX accounts_of_branch ON accounts (branch, id)")?;
    conn.batch_execute(ANALYZE)?;
    Ok(())
}
