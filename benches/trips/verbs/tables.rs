//! The tables that the verbs work on, and what somebody else holds meanwhile.

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::prelude::*;

use super::Conn;
use crate::shared::{DatabaseOn, Result};

diesel::table! {
    accounts (id) {
        id -> BigInt,
        owner -> Text,
        balance -> BigInt,
    }
}

diesel::table! {
    orders (id) {
        id -> BigInt,
        account_id -> BigInt,
        status -> Text,
    }
}

diesel::table! {
    stock (warehouse, product) {
        warehouse -> BigInt,
        product -> BigInt,
        amount -> BigInt,
    }
}

diesel::table! {
    jobs (id) {
        id -> BigInt,
        status -> Text,
        priority -> Integer,
    }
}

diesel::table! {
    products (id) {
        id -> BigInt,
        price -> BigInt,
    }
}

diesel::joinable!(orders -> accounts (account_id));
diesel::allow_tables_to_appear_in_same_query!(accounts, orders, jobs);

#[derive(Debug, Queryable, Selectable, Identifiable, Insertable, Lockable)]
#[diesel(table_name = accounts)]
pub(crate) struct Account {
    pub(crate) id: i64,
    owner: String,
    pub(crate) balance: i64,
}

#[derive(Debug, Queryable, Selectable, Identifiable, Insertable, Lockable)]
#[diesel(table_name = orders)]
pub(crate) struct Order {
    id: i64,
    account_id: i64,
    status: String,
}

#[derive(Debug, Queryable, Selectable, Identifiable, Insertable, Lockable)]
#[diesel(table_name = stock, primary_key(warehouse, product))]
pub(crate) struct Stock {
    warehouse: i64,
    product: i64,
    amount: i64,
}

#[derive(Debug, Queryable, Selectable, Identifiable, Insertable, Lockable)]
#[diesel(table_name = jobs)]
pub(crate) struct Job {
    id: i64,
    status: String,
    priority: i32,
}

#[derive(Debug, Queryable, Selectable, Identifiable, Insertable, Lockable)]
#[diesel(table_name = products)]
pub(crate) struct Product {
    id: i64,
    price: i64,
}

impl Account {
    /// The row with this key; which values a copy in hand has is of no account.
    pub(crate) fn stale(id: i64) -> Self {
        Account { id, owner: format!("owner {id}"), balance: 1 }
    }
}

/// The account and the name that another session holds.
pub(super) const HELD_ACCOUNT: i64 = 1_001;
pub(super) const HELD_NAME: &str = "held";
/// The first job of this priority is held. Those of the other one, 1, are free.
pub(super) const HELD_PRIORITY: i32 = 2;
const HELD_JOB: i64 = 501;

const TABLES: &str = "
    CREATE TABLE accounts (id bigint NOT NULL PRIMARY KEY, owner varchar(20) NOT NULL, balance bigint NOT NULL);
    CREATE TABLE orders (id bigint NOT NULL PRIMARY KEY, account_id bigint NOT NULL, status varchar(20) NOT NULL);
    CREATE TABLE stock (warehouse bigint NOT NULL, product bigint NOT NULL, amount bigint NOT NULL,
        PRIMARY KEY (warehouse, product));
    CREATE TABLE jobs (id bigint NOT NULL PRIMARY KEY, status varchar(20) NOT NULL, priority integer NOT NULL);
    CREATE TABLE products (id bigint NOT NULL PRIMARY KEY, price bigint NOT NULL);
    CREATE INDEX jobs_next ON jobs (status, priority, id)";

pub(in super::super) fn make(conn: &mut Conn) -> Result<()> {
    conn.batch_execute(TABLES)?;
    let order = |id| Order { id, account_id: id, status: "open".to_owned() };
    let stock = |product| Stock { warehouse: 1, product, amount: 10 };
    let job = |id| Job { id, status: "new".to_owned(), priority: if id < HELD_JOB { 1 } else { HELD_PRIORITY } };
    diesel::insert_into(accounts::table)
        .values((1..=HELD_ACCOUNT).map(Account::stale).collect::<Vec<_>>())
        .execute(conn)?;
    diesel::insert_into(orders::table).values((1..HELD_JOB).map(order).collect::<Vec<_>>()).execute(conn)?;
    diesel::insert_into(stock::table).values((1..=20).map(stock).collect::<Vec<_>>()).execute(conn)?;
    let product = |id| Product { id, price: 5 };
    diesel::insert_into(products::table).values((1..=20).map(product).collect::<Vec<_>>()).execute(conn)?;
    diesel::insert_into(jobs::table).values((1..=1_000).map(job).collect::<Vec<_>>()).execute(conn)?;
    Ok(())
}

pub(in super::super) fn while_held<R>(database: &DatabaseOn<Conn>, work: impl FnOnce() -> Result<R>) -> Result<R> {
    let (rows, name) = (&mut database.connect()?, &mut database.connect()?);
    let _name = AdvisoryLock::named(HELD_NAME).acquire(name)?;
    rows.begin_test_transaction()?;
    LockSet::new().id::<Account>(HELD_ACCOUNT).id::<Job>(HELD_JOB).lock(rows)?;
    work()
}
