//! Lock sets.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::{Locked, prelude::*};

use super::{
    Conn, inside,
    rows::{contended, missing},
    tables::{Account, HELD_ACCOUNT, Order, Stock, accounts, orders},
};
use crate::{count::Verb, shared::Result};

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(50);
const KEYS: [i64; 6] = [6, 5, 4, 3, 2, 1];

pub(super) fn verbs() -> Vec<Verb<Conn>> {
    vec![
        inside("set, empty", 0, |conn| accounts_of(LockSet::new().lock(conn))),
        inside("set, 6 keys", 6, |conn| accounts_of(LockSet::new().ids::<Account>(KEYS).lock(conn))),
        inside("set, 1000 keys", 1_000, |conn| accounts_of(LockSet::new().ids::<Account>(1..=1_000).lock(conn))),
        inside("set, 6 composite keys", 6, |conn| {
            let set = LockSet::new().ids::<Stock>(KEYS.map(|product| (1_i64, product)));
            Ok(set.lock(conn)?.rows::<Stock>().len())
        }),
        inside("set, two strengths", 6, |conn| {
            accounts_of(LockSet::new().ids::<Account>([1, 2, 3]).for_share().ids::<Account>([4, 5, 6]).lock(conn))
        }),
        inside("set, one query", 10, |conn| {
            accounts_of(LockSet::new().query::<Account>(accounts::table.filter(accounts::id.le(10))).lock(conn))
        }),
        inside("set, two queries", 6, |conn| {
            let (first, second) =
                (accounts::table.filter(accounts::id.le(3)), accounts::table.filter(accounts::id.between(4, 6)));
            accounts_of(LockSet::new().query::<Account>(first).query::<Account>(second).lock(conn))
        }),
        inside("set, keys and a query", 16, |conn| {
            let query = accounts::table.filter(accounts::id.between(101, 110));
            accounts_of(LockSet::new().ids::<Account>(KEYS).query::<Account>(query).lock(conn))
        }),
        inside("set, limited query", 5, |conn| {
            let query = accounts::table.filter(accounts::id.le(10)).order(accounts::id).limit(5);
            accounts_of(LockSet::new().query::<Account>(query).lock(conn))
        }),
        inside("set, joined query", 3, |conn| {
            let query = orders::table.inner_join(accounts::table).filter(accounts::id.le(3));
            orders_of(LockSet::new().query::<Order>(query).lock(conn))
        }),
        inside("set, two tables", 4, |conn| {
            let locked = LockSet::new().ids::<Order>([2, 1]).ids::<Account>([2, 1]).lock(conn)?;
            Ok(locked.rows::<Order>().len() + locked.rows::<Account>().len())
        }),
        inside("set, missing", 2, |conn| missing(LockSet::new().ids::<Account>([1, -1, -2]).lock(conn))),
        inside("set, allow_missing", 1, |conn| {
            accounts_of(LockSet::new().ids::<Account>([1, -1, -2]).allow_missing().lock(conn))
        }),
        inside("set, no_wait", 6, |conn| accounts_of(LockSet::new().ids::<Account>(KEYS).no_wait().lock(conn))),
        inside("set, no_wait, held", 1, |conn| {
            contended(LockSet::new().ids::<Account>([1, HELD_ACCOUNT]).no_wait().lock(conn))
        }),
        inside("set, no_wait, one query", 6, |conn| {
            let query = accounts::table.filter(accounts::id.le(6));
            accounts_of(LockSet::new().query::<Account>(query).no_wait().lock(conn))
        }),
        inside("set, skip_locked", 6, |conn| accounts_of(LockSet::new().ids::<Account>(KEYS).skip_locked().lock(conn))),
        inside("set, skip_locked, held", 1, |conn| {
            accounts_of(LockSet::new().ids::<Account>([1, HELD_ACCOUNT]).skip_locked().lock(conn))
        }),
        inside("set, timeout", 6, |conn| accounts_of(LockSet::new().ids::<Account>(KEYS).timeout(LONG).lock(conn))),
        inside("set, timeout, held", 0, |conn| {
            timed_out(LockSet::new().ids::<Account>([1, HELD_ACCOUNT]).timeout(SHORT).lock(conn))
        }),
        inside("set, name_holders", 6, |conn| {
            accounts_of(LockSet::new().ids::<Account>(KEYS).name_holders().lock(conn))
        }),
        inside("set, name_holders, no_wait", 6, |conn| {
            accounts_of(LockSet::new().ids::<Account>(KEYS).no_wait().name_holders().lock(conn))
        }),
        inside("set, name_holders, no_wait, held", 1, |conn| {
            contended(LockSet::new().ids::<Account>([1, HELD_ACCOUNT]).no_wait().name_holders().lock(conn))
        }),
        inside("set, name_holders, timeout, held", 1, |conn| {
            timed_out(LockSet::new().ids::<Account>([1, HELD_ACCOUNT]).timeout(SHORT).name_holders().lock(conn))
        }),
    ]
}

fn accounts_of(locked: Result<Locked, LockError>) -> Result<usize> {
    Ok(locked?.rows::<Account>().len())
}

fn orders_of(locked: Result<Locked, LockError>) -> Result<usize> {
    Ok(locked?.rows::<Order>().len())
}

/// The number of holders that are named.
fn timed_out(outcome: Result<Locked, LockError>) -> Result<usize> {
    match outcome {
        Err(LockError::TimedOut { attempt, .. }) => Ok(attempt.map_or(0, |attempt| attempt.holders().len())),
        Err(error) => Err(error.into()),
        Ok(_) => Err("nothing is held".into()),
    }
}
