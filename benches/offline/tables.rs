//! Four tables, and their models.

use diesel::prelude::*;
use diesel_lockset::prelude::*;

macro_rules! account_tables {
    ($($table:ident, $Model:ident;)*) => {$(
        diesel::table! {
            $table (id) {
                id -> BigInt,
                owner -> Text,
                balance -> BigInt,
            }
        }

        #[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
        #[diesel(table_name = $table)]
        #[allow(dead_code, reason = "the columns are read, and not used")]
        pub(crate) struct $Model {
            id: i64,
            owner: String,
            balance: i64,
        }
    )*};
}

account_tables! {
    accounts, Account;
    tellers, Teller;
    branches, Branch;
    vaults, Vault;
}

diesel::table! {
    jobs (id) {
        id -> BigInt,
        status -> Text,
        attempts -> BigInt,
    }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
#[diesel(table_name = jobs)]
#[allow(dead_code, reason = "the columns are read, and not used")]
pub(crate) struct Job {
    id: i64,
    status: String,
    attempts: i64,
}

/// Keys from 1 on, out of order, and none of them twice.
pub(crate) fn keys(n: i64) -> Vec<i64> {
    let mut keys: Vec<i64> = (1..=n).collect();
    fastrand::Rng::with_seed(7).shuffle(&mut keys);
    keys
}
