//! pgbench's bank: its tables as it makes them, the models over them, and what a transfer is.

use std::fmt;

use diesel::prelude::*;
use diesel_lockset::Lockable;

// The tables are pgbench's, only the names are made readable. Its balances may be NULL, and never are.
diesel::table! {
    #[sql_name = "pgbench_accounts"]
    accounts (id) {
        #[sql_name = "aid"]
        id -> Integer,
        #[sql_name = "bid"]
        branch -> Nullable<Integer>,
        #[sql_name = "abalance"]
        balance -> Nullable<Integer>,
    }
}
diesel::table! {
    #[sql_name = "pgbench_branches"]
    branches (id) {
        #[sql_name = "bid"]
        id -> Integer,
        #[sql_name = "bbalance"]
        balance -> Nullable<Integer>,
    }
}
diesel::table! {
    #[sql_name = "pgbench_tellers"]
    tellers (id) {
        #[sql_name = "tid"]
        id -> Integer,
        #[sql_name = "tbalance"]
        balance -> Nullable<Integer>,
    }
}

#[derive(Debug, Clone, Queryable, Selectable, Identifiable, AsChangeset, Lockable)]
#[diesel(table_name = accounts)]
pub(crate) struct Account {
    pub(crate) id: i32,
    pub(crate) balance: Option<i32>,
}

#[derive(Debug, Clone, Queryable, Selectable, Identifiable, AsChangeset, Lockable)]
#[diesel(table_name = branches)]
pub(crate) struct Branch {
    pub(crate) id: i32,
    pub(crate) balance: Option<i32>,
}

#[derive(Debug, Clone, Queryable, Selectable, Identifiable, AsChangeset, Lockable)]
#[diesel(table_name = tellers)]
pub(crate) struct Teller {
    pub(crate) id: i32,
    pub(crate) balance: Option<i32>,
}

/// What the branch keeps of every transfer.
pub(crate) const FEE: i32 = 1;

/// What every account holds at the start. pgbench leaves them all at zero.
pub(crate) const OPENING_BALANCE: i32 = 1_000;

/// Two accounts out of all, two tellers out of few, and the branch, which is the hottest row of all.
///
/// One teller takes the money out of the first account, another pays it into the second, and the branch keeps a fee. So
/// the sum over all accounts, tellers and branches stays the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transfer {
    pub(crate) payer: i32,
    pub(crate) payee: i32,
    pub(crate) taking: i32,
    pub(crate) giving: i32,
    pub(crate) branch: i32,
    pub(crate) amount: i32,
}

/// A changed balance, computed in the program: if the row was stale, money is made or lost.
pub(crate) fn changed(balance: Option<i32>, change: i32) -> Option<i32> {
    Some(balance.unwrap_or(0) + change)
}

/// The keys that were given out when the tables were made.
pub(crate) struct Bank {
    pub(crate) accounts: Vec<i32>,
    pub(crate) tellers: Vec<i32>,
    pub(crate) branches: Vec<i32>,
}

impl Bank {
    pub(crate) fn random_transfer(&self, dice: &mut fastrand::Rng) -> Transfer {
        let (payer, payee) = two_of(dice, &self.accounts);
        let (taking, giving) = two_of(dice, &self.tellers);
        let branch = self.branches[dice.usize(..self.branches.len())];
        Transfer { payer, payee, taking, giving, branch, amount: dice.i32(1..=100) }
    }
}

impl fmt::Display for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bank { accounts, tellers, branches } = self;
        write!(f, "accounts: {}, tellers: {}, branches: {}", accounts.len(), tellers.len(), branches.len())
    }
}

fn two_of(dice: &mut fastrand::Rng, keys: &[i32]) -> (i32, i32) {
    let one = dice.usize(..keys.len());
    let other = (one + 1 + dice.usize(..keys.len() - 1)) % keys.len();
    (keys[one], keys[other])
}
