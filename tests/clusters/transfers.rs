//! Money is moved over all nodes at once.

use std::{sync::Mutex, thread, time::Duration};

use diesel::prelude::*;
use diesel_lockset::{LockError, LockSet, LockTransaction, Lockable, RunLockSet, RunLockTransaction};

use crate::nodes::{Cluster, number};

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
    }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Lockable)]
pub(crate) struct Account {
    pub(crate) id: i64,
    pub(crate) balance: i64,
}

const ACCOUNTS: i64 = 20;
const SESSIONS: usize = 8;
const TRANSFERS: usize = 200;

pub(crate) fn accounts() -> Cluster {
    let rows: Vec<String> = (1..=ACCOUNTS).map(|id| format!("({id}, 1000)")).collect();
    Cluster::new(&format!(
        "CREATE TABLE accounts (id bigint PRIMARY KEY, balance bigint NOT NULL) ENGINE = InnoDB; \
         INSERT INTO accounts VALUES {}",
        rows.join(", ")
    ))
}

fn transfer(conn: &mut MysqlConnection, from: i64, to: i64) -> Result<(), LockError> {
    let locked = LockSet::new().ids::<Account>([from, to]).lock(conn)?;
    let (from, to) = (locked.id::<Account>(from)?, locked.id::<Account>(to)?);
    diesel::update(accounts::table.find(from.id)).set(accounts::balance.eq(from.balance - 1)).execute(conn)?;
    diesel::update(accounts::table.find(to.id)).set(accounts::balance.eq(to.balance + 1)).execute(conn)?;
    Ok(())
}

#[test]
fn every_transfer_succeeds_in_the_end_and_money_is_conserved() {
    let cluster = accounts();
    let (errors, retried) = (Mutex::new(Vec::new()), Mutex::new(0));
    thread::scope(|scope| {
        for session in 0..SESSIONS {
            let (cluster, errors, retried) = (&cluster, &errors, &retried);
            scope.spawn(move || {
                let mut conn = cluster.node(session);
                let mut random = fastrand::Rng::with_seed(session as u64);
                for _ in 0..TRANSFERS {
                    let from = random.i64(1..=ACCOUNTS);
                    let to = (from + random.i64(1..ACCOUNTS) - 1) % ACCOUNTS + 1;
                    let moved = LockTransaction::new()
                        .retries(50)
                        .deadline(Duration::from_secs(60))
                        .before_retry(|_, _| *retried.lock().unwrap() += 1)
                        .run(&mut conn, |conn| transfer(conn, from, to));
                    if let Err(error) = moved {
                        errors.lock().unwrap().push(error);
                    }
                }
            });
        }
    });
    let errors = errors.into_inner().unwrap();
    println!("{} transfers, {} tries lost", SESSIONS * TRANSFERS, retried.into_inner().unwrap());
    assert!(errors.is_empty(), "{} of {}: {errors:?}", errors.len(), SESSIONS * TRANSFERS);
    cluster.settle();
    for node in 0..cluster.nodes() {
        assert_eq!(number(&mut cluster.node(node), "SELECT SUM(balance) FROM accounts"), ACCOUNTS * 1000);
    }
}
