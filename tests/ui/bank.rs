// What the cases about lock sets and locked queries start from.

#[allow(unused_imports)]
use diesel::prelude::*;
#[allow(unused_imports)]
use diesel_lockset::prelude::*;

diesel::table! { accounts (id) { id -> BigInt, owner -> Text, balance -> BigInt, } }
diesel::table! { transfers (id) { id -> BigInt, account_id -> BigInt, amount -> BigInt, } }
diesel::table! { seats (section, number) { section -> Text, number -> Integer, } }
diesel::joinable!(transfers -> accounts (account_id));
diesel::allow_tables_to_appear_in_same_query!(accounts, transfers, seats);

#[allow(dead_code)]
#[derive(Queryable, Selectable, Lockable)]
struct Account {
    id: i64,
    owner: String,
    balance: i64,
}

#[allow(dead_code)]
#[derive(Queryable, Selectable, Lockable)]
struct Transfer {
    id: i64,
    account_id: i64,
    amount: i64,
}

#[allow(dead_code)]
#[derive(Queryable, Selectable, Lockable)]
#[diesel(primary_key(section, number))]
struct Seat {
    section: String,
    number: i32,
}
