// What the examples of the asynchronous calls start from: models, and the names in scope.
#[allow(unused_imports)]
use diesel::prelude::*;
#[allow(unused_imports)]
use diesel_async::{AsyncPgConnection, RunQueryDsl};
#[allow(unused_imports)]
use diesel_lockset::nonblocking::prelude::*;

diesel::table! { accounts (id) { id -> Integer, owner -> Text, balance -> Integer, } }
diesel::table! { orders (id) { id -> BigInt, customer_id -> Integer, status -> Text, } }

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = accounts)]
struct Account {
    id: i32,
    owner: String,
    balance: i32,
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = orders)]
struct Order {
    id: i64,
    customer_id: i32,
    status: String,
}
