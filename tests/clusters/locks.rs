//! What a lock means on the other node: nothing, until the commit.

use diesel::{MysqlConnection, connection::SimpleConnection as _, prelude::*};
use diesel_lockset::{AdvisoryLock, LockDsl, LockError, LockSet, RunAdvisoryLock, RunLockSet};

use crate::transfers::{Account, accounts};

const ONE: Account = Account { id: 1, balance: 0 };

fn no_wait(conn: &mut MysqlConnection) -> Result<(), LockError> {
    conn.transaction(|conn| ONE.no_wait().lock(conn).map(drop))
}

#[test]
fn a_row_lock_is_that_of_its_node() {
    let cluster = accounts();
    let (mut holder, mut beside, mut elsewhere) = (cluster.node(0), cluster.node(0), cluster.node(1));
    holder
        .transaction(|conn| {
            LockSet::new().id::<Account>(1).lock(conn)?;
            assert!(matches!(no_wait(&mut beside), Err(LockError::Contended { .. })));
            no_wait(&mut elsewhere)
        })
        .unwrap();
}

#[test]
fn an_advisory_lock_is_that_of_its_node() {
    let cluster = accounts();
    let (mut holder, mut beside, mut elsewhere) = (cluster.node(0), cluster.node(0), cluster.node(1));
    let lock = || AdvisoryLock::named("nightly-report");
    let held = lock().acquire(&mut holder).unwrap();
    assert!(lock().try_acquire(&mut beside).unwrap().is_none());
    assert!(lock().try_acquire(&mut elsewhere).unwrap().is_some());
    drop(held);
}

/// A change that is committed on one node is read late on another, unless the session waits for it.
#[test]
fn a_session_that_waits_reads_what_was_committed_elsewhere() {
    let cluster = accounts();
    let (mut writer, mut reader) = (cluster.node(0), cluster.node(1));
    reader.batch_execute("SET wsrep_sync_wait = 1").unwrap();
    for balance in 1..=50 {
        diesel::sql_query(format!("UPDATE accounts SET balance = {balance} WHERE id = 1"))
            .execute(&mut writer)
            .unwrap();
        let read = reader.transaction(|conn| Account::lock_by_id(1, conn)).unwrap();
        assert_eq!(read.balance, balance);
    }
}
