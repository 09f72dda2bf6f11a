//! What the tests of queries in sets share: the same rows, asked for in several ways.

use diesel::prelude::*;
use diesel_lockset::{LockSet, Locked};

use super::Driver;
use crate::support::{
    driver::Session,
    models::{Account, Job},
    schema::accounts,
};

type Backend = <Driver as Session>::Backend;

pub(super) type Set = LockSet<'static, Backend>;

/// One way of several to ask for the same rows, and its name in the message of a test that fails.
pub(super) type Form = (&'static str, fn() -> Set);

pub(super) fn account_ids(locked: &Locked) -> Vec<i32> {
    locked.rows::<Account>().iter().map(|account| account.id).collect()
}

pub(super) fn job_ids(locked: &Locked) -> Vec<i64> {
    locked.rows::<Job>().iter().map(|job| job.id).collect()
}

pub(super) fn account(id: i32) -> Account {
    Account { id, owner: "nobody".into(), balance: -1, v: -1 }
}

/// A search form: every field may be left empty.
pub(super) fn search<'q>(
    at_least: Option<i32>,
    owners: Option<&'q [&'q str]>,
    but_not: Option<i32>,
) -> accounts::BoxedQuery<'q, Backend> {
    let mut query = accounts::table.into_boxed();
    if let Some(balance) = at_least {
        query = query.filter(accounts::balance.ge(balance));
    }
    if let Some(owners) = owners {
        query = query.filter(accounts::owner.eq_any(owners));
    }
    if let Some(id) = but_not {
        query = query.filter(accounts::id.ne(id));
    }
    query
}
