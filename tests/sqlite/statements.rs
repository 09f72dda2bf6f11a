//! The statements of each verb, in the order in which they are sent.

use std::{sync::mpsc::Receiver, time::Duration};

use diesel::prelude::*;
use diesel_lockset::{
    LockDsl, LockError, LockSet, LockTransaction, Lockable as _, PickDsl, RunLockSet, RunLockTransaction,
};

use crate::{
    file::{Account, File, Job, Journal, accounts, jobs, overhear},
    waiting::account,
};

/// What was sent since the last look, without the crate's question if the transaction is still open.
fn sent(statements: &Receiver<String>) -> Vec<String> {
    statements.try_iter().filter(|sent| !sent.starts_with("RELEASE `diesel_lockset")).collect()
}

/// Each statement begins, and ends, like this.
#[track_caller]
fn assert_like(sent: &[String], like: &[(&str, &str)]) {
    let same = sent.len() == like.len()
        && sent.iter().zip(like).all(|(sent, (first, last))| sent.starts_with(first) && sent.ends_with(last));
    assert!(same, "{sent:#?} and not {like:#?}");
}

const TOUCH: (&str, &str) = ("DELETE FROM `accounts` WHERE 0", "");
const ROWS: (&str, &str) = ("SELECT `accounts`.`id`", "");

/// B06.
#[test]
fn a_lock_becomes_the_writer_before_it_reads_a_row() {
    let file = File::new(Journal::Wal);
    let conn = &mut file.connect();
    let statements = overhear(conn);
    conn.transaction(|conn| {
        sent(&statements);
        account(1).lock(conn)?;
        assert_like(&sent(&statements), &[TOUCH, ROWS]);
        LockSet::new().ids::<Account>([2, 1]).query::<Account>(accounts::table.limit(1)).lock(conn)?;
        assert_like(&sent(&statements), &[TOUCH, ROWS]);
        account(1).timeout(Duration::from_millis(1_500)).lock(conn)?;
        let limit = ("PRAGMA busy_timeout", "");
        let limited = sent(&statements);
        assert_like(&limited, &[limit, limit, TOUCH, limit, ROWS]);
        assert!(limited[3].ends_with('0'), "{limited:?}");
        account(1).no_wait().lock(conn)?;
        assert_like(&sent(&statements), &[limit, limit, TOUCH, limit, ROWS]);
        jobs::table.order(jobs::id).pick_next::<Job>(conn)?;
        assert_like(
            &sent(&statements),
            &[("DELETE FROM `jobs` WHERE 0", ""), ("SELECT `jobs`.`id`", " ORDER BY `jobs`.`id` LIMIT ?")],
        );
        Ok::<_, LockError>(())
    })
    .unwrap();
}

#[test]
fn a_transaction_of_the_crate_begins_as_the_writer() {
    let file = File::new(Journal::Wal);
    let conn = &mut file.connect();
    let statements = overhear(conn);
    LockTransaction::new().run(conn, |conn| account(1).lock(conn)).unwrap();
    let (begin, commit) = (("BEGIN IMMEDIATE", ""), ("COMMIT", ""));
    assert_like(&sent(&statements), &[begin, TOUCH, ROWS, commit]);
    account(1).with_lock(conn, |_, _| Ok::<_, LockError>(())).unwrap();
    assert_like(&sent(&statements), &[begin, TOUCH, ROWS, commit]);
}

#[test]
fn a_claim_of_one_row_is_one_update_with_returning() {
    let file = File::new(Journal::Wal);
    let conn = &mut file.connect();
    let statements = overhear(conn);
    let next = || jobs::table.filter(jobs::status.eq("new")).order(jobs::priority);
    let (touch, update) = (("DELETE FROM `jobs` WHERE 0", ""), ("UPDATE `jobs` SET ", ""));
    let claimed: Vec<Job> = next().claim(1, jobs::status.eq("taken"), conn).unwrap();
    assert_eq!((claimed[0].id, &*claimed[0].status), (2, "taken"));
    let alone = sent(&statements);
    assert_like(&alone, &[("BEGIN IMMEDIATE", ""), touch, update, ("COMMIT", "")]);
    assert!(alone[2].contains(" LIMIT ?) RETURNING "), "{alone:?}");
    conn.transaction(|conn| {
        sent(&statements);
        let claimed: Vec<Job> = next().claim(1, jobs::status.eq("taken"), conn)?;
        assert_eq!(claimed[0].id, 3);
        assert_like(&sent(&statements), &[touch, update]);
        Ok::<_, LockError>(())
    })
    .unwrap();
}
