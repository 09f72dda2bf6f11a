//! The tables of the tests, and a database for each test.

#![allow(dead_code, reason = "each server uses what it has")]

use diesel::{connection::SimpleConnection, prelude::*};
use diesel_lockset::{prelude::*, testing::TestDatabase};

use super::{Conn, VARIABLE};

diesel::table! { accounts (id) { id -> Integer, balance -> Integer, } }
diesel::table! { doctors (id) { id -> Integer, on_call -> Bool, } }
diesel::table! { jobs (id) { id -> Integer, status -> Text, worker -> Nullable<Text>, } }
diesel::table! { products (id) { id -> Integer, stock -> Integer, } }
diesel::table! { items (order_id, line) { order_id -> Integer, line -> Integer, product_id -> Integer, } }

diesel::allow_tables_to_appear_in_same_query!(accounts, doctors, jobs, products, items);

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = accounts)]
pub(crate) struct Account {
    pub(crate) id: i32,
    pub(crate) balance: i32,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = jobs)]
pub(crate) struct Job {
    pub(crate) id: i32,
    pub(crate) status: String,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = products)]
pub(crate) struct Product {
    pub(crate) id: i32,
    pub(crate) stock: i32,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = items, primary_key(order_id, line))]
pub(crate) struct Item {
    pub(crate) order_id: i32,
    pub(crate) line: i32,
    pub(crate) product_id: i32,
}

pub(crate) fn database() -> TestDatabase<Conn> {
    let url =
        std::env::var(VARIABLE).unwrap_or_else(|_| panic!("no server: run `cargo xtask test`, or set {VARIABLE}"));
    let database = TestDatabase::create(&url).unwrap();
    let tables = "CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);
                  CREATE TABLE doctors (id int PRIMARY KEY, on_call boolean NOT NULL);
                  CREATE TABLE jobs (id int PRIMARY KEY, status varchar(9) NOT NULL, worker varchar(9));
                  CREATE TABLE products (id int PRIMARY KEY, stock int NOT NULL);
                  CREATE TABLE items (order_id int, line int, product_id int NOT NULL, PRIMARY KEY (order_id, line))";
    database.execute(tables).unwrap();
    database
}

/// The rows that every test begins with.
pub(crate) fn reset(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute(
        "DELETE FROM accounts; DELETE FROM doctors; DELETE FROM jobs; DELETE FROM products; DELETE FROM items;
         INSERT INTO accounts VALUES (1, 100), (2, 100), (3, 100);
         INSERT INTO doctors VALUES (1, TRUE), (2, TRUE);
         INSERT INTO jobs VALUES (1, 'new', NULL), (2, 'new', NULL), (3, 'new', NULL);
         INSERT INTO products VALUES (1, 1), (2, 5);
         INSERT INTO items VALUES (1, 1, 1), (1, 2, 2)",
    )
}
