use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use diesel_lockset::LockQueryDsl;

diesel::table! { accounts (id) { id -> BigInt, owner -> Text, } }

async fn locks_nothing(conn: &mut AsyncPgConnection) {
    let query = accounts::table.for_update_of(accounts::table).no_wait();
    let _: Vec<(i64, String)> = RunQueryDsl::load(query, conn).await.unwrap();
}

fn main() {}
