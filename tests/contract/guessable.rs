//! Calls as one guesses them from Diesel's: the model alone between `::<` and `>`, `first`, `optional`, and a wait policy as a value.

use std::time::Duration;

use diesel::prelude::*;
use diesel_lockset::{LockError, LockQueryDsl, LockSet, Lockable as _, OptionalExtension as _, WaitPolicy};

use super::{
    Arena, Driver,
    verbs::{PickDsl, RunLockQuery, RunLockSet},
};
use crate::support::{
    driver::Session,
    models::{Account, Job},
    schema::{accounts, jobs},
};

const LONG: Duration = Duration::from_secs(60);

fn account() -> Account {
    Account { id: 1, owner: String::new(), balance: 0, v: 0 }
}

#[test]
fn the_model_alone_is_named() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let conn = session.conn();
    let one = || accounts::table.find(1).for_update_of(accounts::table);
    assert_eq!(RunLockQuery::load::<Account>(one(), conn).unwrap().len(), 1);
    assert_eq!(RunLockQuery::first::<Account>(one(), conn).unwrap().id, 1);
    assert!(jobs::table.order(jobs::id).pick_next::<Job>(conn).unwrap().is_some());
    assert_eq!(jobs::table.order(jobs::id).pick::<Job>(2, conn).unwrap().len(), 2);
}

#[test]
fn the_first_row_is_the_only_one_that_is_locked() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    let by_key = || accounts::table.order(accounts::id.asc()).for_update_of(accounts::table);
    for number in 0..5 {
        session.begin().unwrap();
        let conn = session.conn();
        let first: Account = match number {
            0 => RunLockQuery::first(by_key(), conn),
            1 => RunLockQuery::first(by_key().skip_locked(), conn),
            2 => RunLockQuery::first(by_key().no_wait(), conn),
            3 => RunLockQuery::first(by_key().timeout(LONG), conn),
            _ => RunLockQuery::first(by_key().wait(WaitPolicy::Timeout(LONG)), conn),
        }
        .unwrap();
        assert_eq!(first.id, 1, "{number}");
        assert_eq!(arena.held_keys("accounts", "id"), ["1"], "{number}");
        session.rollback().unwrap();
    }
    // The first of both clauses.
    session.begin().unwrap();
    let boxed = accounts::table.order(accounts::id.asc()).limit(9).into_boxed().for_update_of(accounts::table);
    let first: Account = RunLockQuery::first(boxed, session.conn()).unwrap();
    assert_eq!((first.id, arena.held_keys("accounts", "id")), (1, vec!["1".to_owned()]));
}

#[test]
fn a_row_that_does_not_exist_is_none_and_the_transaction_goes_on() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    session.begin().unwrap();
    let missing = session.lock_by_id::<Account>(77);
    assert!(missing.as_ref().is_err_and(LockError::is_not_found), "{missing:?}");
    assert_eq!(missing.optional().unwrap(), None);
    let none = || accounts::table.find(77).for_update_of(accounts::table);
    let first = RunLockQuery::first::<Account>(none(), session.conn());
    assert!(first.as_ref().is_err_and(LockError::is_not_found), "{first:?}");
    assert_eq!(first.optional().unwrap(), None);
    let result = RunLockQuery::get_result::<Account>(none(), session.conn());
    assert_eq!(result.optional().unwrap(), None);
    let found = session.lock_by_id::<Account>(1).optional().unwrap();
    assert_eq!(found.map(|account| account.id), Some(1));
    session.commit().unwrap();
    // Any other error is one.
    let outside = session.lock_by_id::<Account>(1).optional();
    assert!(matches!(outside, Err(LockError::NotInTransaction)), "{outside:?}");
}

/// What a call that waits so comes to while another session holds row 1: how many rows, or the class of the error.
fn outcome(result: Result<usize, LockError>) -> &'static str {
    match result {
        Ok(0) => "none",
        Ok(_) => "some",
        Err(LockError::Contended { .. }) => "contended",
        Err(LockError::TimedOut { .. }) => "timed out",
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn a_wait_policy_is_a_value_and_means_what_its_method_means() {
    let arena = Arena::new();
    let (mut holder, mut session) = (Driver::connect(arena.url()), Driver::connect(arena.url()));
    holder.begin().unwrap();
    holder.lock_by_id::<Account>(1).unwrap();
    let short = WaitPolicy::Timeout(Duration::from_millis(50));
    let zero = WaitPolicy::Timeout(Duration::ZERO);
    let cases = [
        (WaitPolicy::NoWait, "contended"),
        (zero, "contended"),
        (WaitPolicy::SkipLocked, "none"),
        (short, "timed out"),
    ];
    for (policy, expected) in cases {
        let calls: [fn(WaitPolicy, &mut <Driver as Session>::Conn) -> Result<usize, LockError>; 3] = [
            |policy, conn| Ok(LockSet::new().id::<Account>(1).wait(policy).lock(conn)?.rows::<Account>().len()),
            |policy, conn| Ok(usize::from(account().wait(policy).lock(conn)?.is_some())),
            |policy, conn| {
                let query = accounts::table.find(1).for_update_of(accounts::table).wait(policy);
                Ok(RunLockQuery::load::<Account>(query, conn)?.len())
            },
        ];
        for (number, call) in calls.into_iter().enumerate() {
            session.begin().unwrap();
            assert_eq!(outcome(call(policy, session.conn())), expected, "{policy:?}, call {number}");
            session.rollback().unwrap();
        }
    }
    holder.rollback().unwrap();
    // Nobody holds it: each of them has it.
    for policy in [WaitPolicy::Block, WaitPolicy::NoWait, WaitPolicy::SkipLocked, short] {
        session.begin().unwrap();
        let row = account().wait(policy).lock(session.conn()).unwrap();
        assert_eq!(row.map(|row| row.id), Some(1), "{policy:?}");
        session.rollback().unwrap();
    }
}

#[test]
fn a_timeout_may_be_none() {
    let arena = Arena::new();
    let mut session = Driver::connect(arena.url());
    for timeout in [None, Some(LONG)] {
        session.begin().unwrap();
        let sent = session.overhear();
        let locked = LockSet::new().id::<Account>(1).timeout(timeout).lock(session.conn()).unwrap();
        assert_eq!(locked.rows::<Account>().len(), 1);
        let limits = sent.take().iter().filter(|text| text.contains("statement_time")).count();
        assert!(timeout.is_some() || limits == 0, "{limits}");
        account().timeout(timeout).lock(session.conn()).unwrap();
        let query = accounts::table.find(1).for_update_of(accounts::table).timeout(timeout);
        RunLockQuery::first::<Account>(query, session.conn()).unwrap();
        session.rollback().unwrap();
    }
}
